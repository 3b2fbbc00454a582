// Messages and their differences, as tables.

import { differences, isKind, parts } from "./diff.js";
import { bytes, count } from "./format.js";
import { html, nothing } from "./vendor/lit-html.js";

const HEADINGS = { line: "", query: "Query", cookie: "Cookies", header: "Headers", body: "Body" };

const grouped = (rows, of) => {
  const groups = new Map();
  for (const row of rows) groups.set(of(row), [...(groups.get(of(row)) ?? []), row]);
  return [...groups];
};

function body({ size, preview, encoding }) {
  if (!size) return html`<p class="note">No body.</p>`;
  const isCut = encoding === "text" && new TextEncoder().encode(preview).length < size;
  return html`
    <p class="group">Body <span>${bytes(size)}${isCut ? ", its beginning" : ""}</span></p>
    <pre class="body" tabindex="0">${encoding === "base64" ? dump(preview) : preview}</pre>`;
}

/** The first bytes of a body that is no text. */
function dump(base64) {
  const raw = atob(base64).slice(0, 256);
  const lines = [];
  for (let at = 0; at < raw.length; at += 16) {
    const slice = [...raw.slice(at, at + 16)];
    const hex = slice.map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join(" ");
    const shown = slice.map((byte) => (byte >= " " && byte <= "~" ? byte : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(48)} ${shown}`);
  }
  return lines.join("\n");
}

/** A whole message. */
export function messageTable(message) {
  if (!message) return html`<p class="note">There is none.</p>`;
  return html`<div class="message">
    ${grouped(parts(message), ([group]) => group).map(
      ([group, rows]) => html`
        ${HEADINGS[group] ? html`<p class="group">${HEADINGS[group]}</p>` : nothing}
        <dl class="fields">
          ${rows.map(([, name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
        </dl>`,
    )}
    ${body(message.body)}
  </div>`;
}

const diffRow = (row) => html`<div class="diff-row" data-kind=${row.kind}>
  <dt>${row.name}</dt>
  <dd>
    ${row.lines
      ? html`<pre class="lines" tabindex="0">${row.lines.map(
          ([sign, line]) => html`<span data-sign=${sign}>${sign} ${line}\n</span>`)}</pre>`
      : row.kind === "changed"
        ? html`<del>${row.before}</del> <ins>${row.after}</ins>`
        : row.kind === "removed"
          ? html`<del>${row.before}</del>`
          : row.kind === "added"
            ? html`<ins>${row.after}</ins>`
            : row.before}
  </dd>
</div>`;

/** What changed from one message to the next; the rest is a click away. */
export function differenceTable(before, after) {
  if (!isKind(before, after)) return nothing;
  const rows = differences(before, after);
  const changed = rows.filter(({ kind }) => kind !== "same");
  const same = rows.filter(({ kind }) => kind === "same");
  return html`<div class="diff">
    ${changed.length
      ? grouped(changed, ({ group }) => group).map(
          ([group, each]) => html`
            ${HEADINGS[group] ? html`<p class="group">${HEADINGS[group]}</p>` : nothing}
            <dl class="fields">${each.map(diffRow)}</dl>`,
        )
      : html`<p class="note">Nothing was changed.</p>`}
    ${same.length
      ? html`<details class="same"><summary>${count(same.length, "line")} unchanged</summary>
          <dl class="fields">${same.map(diffRow)}</dl></details>`
      : nothing}
  </div>`;
}
