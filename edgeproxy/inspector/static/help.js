// The keys, and the filter's grammar.

import { html, render } from "./vendor/lit-html.js";

const KEYS = [
  ["j  k  ↓  ↑", "the next older and newer request"],
  ["g", "the newest request"],
  ["Enter", "into the request"],
  ["Esc", "back to the list; empty the filter"],
  ["h  l  ←  →", "the station before and after"],
  ["w", "journey, why, messages: the next tab"],
  ["/", "filter"],
  ["p", "pause the list, or go on"],
  ["r", "send the request again"],
  ["1 … 8", "the views"],
  ["?", "this help"],
];

const FILTERS = [
  ["status:502  status:5xx  status:>=400", "the status"],
  ["hit:miss  hit:refreshhit  hit:error", "the result type"],
  ["fn:ab  fn:error", "a function that ran; one that failed"],
  ["path:/x  query:id  host:www  method:POST", "the request line"],
  ["time:>100  size:>50000", "milliseconds, bytes"],
  ["-path:/static", "anything but"],
  ["cart", "any other word is looked for everywhere"],
];

export function showHelp() {
  const dialog = document.getElementById("dialog");
  const rows = (pairs) =>
    pairs.map(([keys, what]) => html`<div>
      <dt>${keys.split("  ").map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${what}</dd></div>`);
  render(
    html`<form method="dialog" class="help">
      <h2 id="dialog-title">Keys</h2>
      <dl class="keys">${rows(KEYS)}</dl>
      <h2>Filter</h2>
      <dl class="keys">${rows(FILTERS)}</dl>
      <div class="actions"><button class="primary">Close</button></div>
    </form>`,
    dialog,
  );
  dialog.showModal();
}
