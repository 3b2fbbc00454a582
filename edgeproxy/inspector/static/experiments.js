// Experiments: shares, visitors' ways and leaks as they happen; being put on a side; side by side.

import { del, get, part, post } from "./api.js";
import { sideBySide } from "./compare.js";
import { count, percent, timeOfDay } from "./format.js";
import { Page } from "./page.js";
import { html, nothing, svg } from "./vendor/lit-html.js";

const COLOURS = 6;
const PAUSE_MS = 500;
const LEAKS = 3;
const PATHS = 5;

const points = (share) => `${(100 * share).toFixed(1)} %`;

export class View extends Page {
  all = null;
  chosen = null;
  name = null;
  compared = new Map();
  #asked = 0;
  #later = 0;
  #isAsking = false;
  #changed = () => this.#soon();

  enter(name) {
    this.name = name ?? this.name;
    this.exchanges.addEventListener("change", this.#changed);
    super.enter();
  }

  leave() {
    this.exchanges.removeEventListener("change", this.#changed);
    clearTimeout(this.#later);
    super.leave();
  }

  /** Requests come in crowds: the edge is asked twice a second at most. */
  #soon() {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.refresh(), Math.max(0, this.#asked + PAUSE_MS - Date.now()));
  }

  async refresh() {
    if (this.#isAsking) return this.#soon();
    this.#isAsking = true;
    this.#asked = Date.now();
    try {
      await super.refresh();
    } finally {
      this.#isAsking = false;
    }
  }

  async load() {
    this.all = await get("/api/experiments");
    const { experiments } = this.all;
    const shown = experiments.find(({ name }) => name === this.name) ?? experiments[0];
    this.chosen = shown && !shown.problem ? await get(`/api/experiments/${part(shown.name)}`) : shown;
  }

  body() {
    const { all, chosen } = this;
    if (!all) return nothing;
    return html`<header class="head-line"><h1>Experiments</h1>
        ${chosen ? html`<span class="note" title=${all.file}>of ${all.file.split("/").at(-1)}, in the traffic that there is</span>` : nothing}</header>
      ${all.problem ? html`<div class="finding" role="alert"><h3>The declaration cannot be used</h3>
        <p class="words">${all.problem}</p>${chosen ? html`<p>What was declared before goes on.</p>` : nothing}</div>` : nothing}
      ${chosen
        ? all.experiments.length > 1
          ? html`<div class="two">
              <nav class="choices" aria-label="Experiments">${all.experiments.map((each) => this.#choice(each))}</nav>
              ${this.#experiment(chosen)}</div>`
          : this.#experiment(chosen)
        : all.problem ? nothing : empty(all.file)}`;
  }

  #choice(each) {
    return html`<a class="choice" href="#/experiments/${part(each.name)}" aria-current=${each.name === this.chosen.name ? "true" : nothing}>
      <strong>${each.name}</strong>
      <span class="note">${each.problem ? "cannot be watched" : each.leaks ? count(each.leaks, "leak") : count(each.visitors, "visitor")}</span></a>`;
  }

  #experiment(each) {
    if (each.problem) return html`<article class="experiment"><h2>${each.name}</h2><p class="problem">${each.problem}</p></article>`;
    const whyNot = each.variants.map(({ viewer }) => viewer.why_not).find(Boolean);
    const sides = new Map(each.variants.map(({ name }, index) => [name, index % COLOURS]));
    return html`<article class="experiment">
      <h2>${each.name}</h2>
      <p class="note">told apart by the ${each.assignment}${each.exposure ? `, answers by the ${each.exposure}` : ""}, at
        <a href=${each.url} target="_blank" rel="noreferrer">${each.door}</a></p>
      ${leaks(each)}
      <h3>Shares</h3>
      <ul class="sides">${each.variants.map((variant) => this.#variant(each, variant, sides))}</ul>
      ${whyNot ? html`<p class="note counts">${whyNot}</p>` : nothing}
      <p class="counts">${count(each.visitors, "visitor")}, ${count(each.requests, "request")},
        <span data-bad=${each.switches > 0}>${each.switches} changed sides</span>,
        <span data-bad=${each.unassigned > 0}>${each.unassigned} without a side</span>${undeclared(each)}</p>
      ${each.shares_are_off ? html`<p class="finding">The shares are certainly not the expected ones.</p>` : nothing}
      ${each.gaps ? html`<p class="note">More requests went by than the edge keeps (<code>--history</code>): not all are counted.</p>` : nothing}
      <h3>Visitors</h3>
      ${visitors(each.newest_visitors, sides)}
      ${whyNot ? nothing : sideBySide(this, each, sides)}
    </article>`;
  }

  #variant(each, variant, sides) {
    const { name, expected_share: expected, share, share_low: low, share_high: high, visitors, requests, hits, errors, viewer } = variant;
    const url = viewer.url + each.paths[0];
    const known = share === null ? "nobody yet" : `${points(share)} of the visitors, really between ${points(low)} and ${points(high)}`;
    return html`<li data-side=${sides.get(name)}>
      <strong class="side">${name}</strong>
      <svg class="share" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label="${name}: ${known}, ${points(expected)} expected">
        <rect class="ground" width="100" height="20" /><rect width=${100 * (share ?? 0)} height="20" />
        ${share === null ? nothing : svg`<path class="interval" d="M${100 * low} 10H${100 * high}" />`}
        <path class="expected" d="M${100 * expected} 0V20" /></svg>
      <span class="told"><strong>${share === null ? "–" : points(share)}</strong> <span class="note">of ${points(expected)} expected</span></span>
      <span class="note told">${count(visitors, "visitor")}${share === null ? "" : `, really ${points(low)} to ${points(high)}`};
        ${count(requests, "request")}${requests ? `, ${percent(hits, requests)} hits` : ""}${errors ? html`, <strong data-tone="error">${count(errors, "error")}</strong>` : ""}</span>
      ${viewer.why_not && !viewer.is_there ? nothing : html`<span class="force">
        ${viewer.is_there
          ? html`<a class="code" href=${url} target="_blank" rel="noreferrer">${new URL(url).host}</a>
              <button type="button" aria-label="End being on ${name}" @click=${() => this.act(() => del(`/api/viewers/${part(viewer.name)}`).then(() => `Nobody is put on ${name} any more.`))}>End</button>`
          : html`<button type="button" title="Open the site as a viewer who is on this side" @click=${() => this.#force(each, variant, url)}>Be on ${name}</button>`}
      </span>`}
    </li>`;
  }

  #force(each, { name, viewer }, url) {
    return this.act(async () => {
      await post("/api/viewers", { name: viewer.name, variant: { experiment: each.name, variant: name } });
      window.open(url, "_blank", "noopener");
      return `${viewer.name} is on ${name}.`;
    });
  }
}

/** Values that stand for no variant: often those of an older declaration, or of none. */
const undeclared = ({ undeclared: values, assignment }) =>
  Object.keys(values).length
    ? html` <span class="note">(as ${assignment}, ${Object.entries(values).map(([value, number]) => `${value}: ${number}`).join(", ")})</span>`
    : nothing;

const empty = (file) => html`<div class="empty-page">
  <p>No experiment is declared in <code>${file}</code>.</p>
  <p>Browse the site as two visitors, then let <code>edgeproxy experiment init --output experiments.yaml</code> propose one.</p></div>`;

/** What went to the other side, newest first, and what mends it. */
function leaks({ leaks: number, newest_leaks: newest }) {
  if (!number) return nothing;
  const remedies = new Map();
  for (const { path, remedy } of newest) {
    // It begins with the path that it is about.
    const text = remedy?.slice(path.length + 2);
    if (text) remedies.set(text, new Set([...(remedies.get(text) ?? []), path]));
  }
  const row = (leak) => html`<li><time>${timeOfDay(leak.time)}</time>
    <span>${leak.visitor} on <strong>${leak.variant}</strong> got <span class="code">${leak.path}</span> of <strong>${leak.made_for}</strong>, ${leak.why}</span>
    <a href="#/exchange/${leak.exchange}" aria-label="The journey of ${leak.path} at ${timeOfDay(leak.time)}">journey</a>
    <span class="code key">${leak.key.map(({ part: name, value }) => `${name} ${value}`).join(" · ")}</span></li>`;
  return html`<section class="finding leaks" aria-label="Leaks">
    <h3>${count(number, "answer")} went to the other side</h3>
    ${[...remedies].map(([text, paths]) => html`<p><strong>${text[0].toUpperCase()}${text.slice(1)}</strong>
      <span class="code">${[...paths].slice(0, PATHS).join(" ")}${paths.size > PATHS ? " …" : ""}</span></p>`)}
    <ol>${newest.slice(0, LEAKS).map(row)}</ol>
    ${newest.length > LEAKS ? html`<details><summary>Earlier ones</summary><ol>${newest.slice(LEAKS).map(row)}</ol></details>` : nothing}
  </section>`;
}

function visitors(all, sides) {
  if (!all.length) return html`<p class="note">Waiting for the first visitor.</p>`;
  return html`<p class="note ways-legend">Each mark is a request: filled when it came from the cache, with <strong>!</strong> and a red ring when it was
      the other side's, with a red line before it when the visitor changed sides.</p>
    <ul class="ways">${all.map((each) => html`<li>
      <span class="who">${each.visitor}${each.forced ? html` <span class="tag">put on ${each.variant}</span>` : nothing}</span>
      <span class="way">${each.stations.map((station) => mark(station, sides))}</span></li>`)}</ul>`;
}

function mark(station, sides) {
  const { time, path, variant, made_for: madeFor, switched, result_type: result, exchange } = station;
  const told = [
    `${timeOfDay(time)} ${path}: ${variant ?? "no side"}`, result,
    madeFor ? `the answer was ${madeFor}'s` : "", switched ? "changed sides" : "",
  ].filter(Boolean).join(", ");
  return html`<a href="#/exchange/${exchange}" title=${told} aria-label=${told} data-side=${sides.get(variant) ?? "none"}
    data-hit=${/Hit/.test(result)} data-leak=${madeFor !== null} data-switched=${switched}>${(variant ?? "–")[0]}${madeFor ? "!" : ""}</a>`;
}
