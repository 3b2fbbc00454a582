// Why a request was answered as it was: its cache key, its lifetime, what went to the origin.

import { seconds } from "./format.js";
import { html, nothing } from "./vendor/lit-html.js";

/** A table of objects; `columns` are `[heading, field, isCode]`, the first field heads the row. */
function table(caption, columns, rows) {
  if (!rows?.length) return nothing;
  const [[, first], ...others] = columns;
  return html`<table class="grid">
    <caption>${caption}</caption>
    <thead><tr>${columns.map(([heading]) => html`<th scope="col">${heading}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr><th scope="row">${row[first]}</th>
      ${others.map(([, field, isCode]) => html`<td class=${isCode ? "code" : ""}>${row[field]}</td>`)}</tr>`)}</tbody>
  </table>`;
}

/** `left` is how many seconds the object still has, now. */
export function whyPanel(exchange, left, { stations }) {
  const { why } = exchange;
  const cache = exchange.steps.find((step) => step.name === "cache");
  if (!why || !cache) {
    return html`<p class="note">The cache was not asked. ${stations.find(({ key }) => key === "cache")?.why}</p>`;
  }
  const { kind, why: because } = cache.decision;
  return html`
    <p class="verdict"><strong data-tone=${kind.toLowerCase()}>${kind}</strong> ${because}</p>
    ${why.would_hit_if
      ? html`<div class="callout"><h2>It would have been a hit if</h2><p>${why.would_hit_if}.</p></div>`
      : nothing}
    ${lifetime(why.ttl, left)}
    ${why.key?.length
      ? table("Cache key", [["Part", "part"], ["Value", "value", true], ["Put there by", "because"]], why.key)
      : html`<h2>Cache key</h2><p class="note">None: the request is not cacheable.</p>`}
    ${others(why.others)}
    ${table("Took no part in the key", [["Part", "part"], ["Value", "value", true], ["Because", "because"]], why.not_in_key)}
    ${table("Forwarded to the origin", [["Header", "header"], ["Value", "value", true], ["Because", "because"]], why.forwarded)}
    ${table("Not forwarded", [["Part", "part"], ["Because", "because"]], why.withheld)}`;
}

const OTHERS = 5;

/** Objects of the same path under other keys, the most alike first. */
function others(found) {
  const rows = (found ?? []).slice(0, OTHERS).flatMap(({ differs }) => differs);
  return table("Stored under other keys", [["Part", "part"], ["There", "stored", true], ["Here", "asked", true]], rows);
}

function lifetime(ttl, left) {
  if (!ttl) return html`<h2>Lifetime</h2><p class="note">Nothing was stored for this request.</p>`;
  const isStored = ttl.seconds != null;
  return html`<section class="lifetime" aria-label="Lifetime">
    <h2>Lifetime</h2>
    <dl class="facts">
      <div><dt>TTL</dt><dd>${isStored ? seconds(ttl.seconds) : "not stored"}</dd></div>
      ${isStored ? html`<div><dt>left</dt><dd>${left == null ? "–" : left > 0 ? seconds(left) : "expired"}</dd></div>` : nothing}
      <div><dt>decided by</dt><dd>${ttl.because}</dd></div>
      ${ttl.bounds ? html`<div><dt>bounds</dt><dd>${bounds(ttl.bounds)}</dd></div>` : nothing}
    </dl>
    ${isStored && left != null
      ? html`<progress aria-label="Time left" max=${Math.max(ttl.seconds, 1)} value=${Math.max(0, left)}></progress>`
      : nothing}
  </section>`;
}

const BOUNDS = { min_ttl_s: "MinTTL", default_ttl_s: "DefaultTTL", max_ttl_s: "MaxTTL" };

const bounds = (values) =>
  Object.entries(values).map(([name, value]) => `${BOUNDS[name] ?? name} ${value}`).join(", ");
