// One URL as each side gets it.

import { part, post } from "./api.js";
import { bytes, count } from "./format.js";
import { html, nothing } from "./vendor/lit-html.js";

/** The form, and what came of it last; kept by the view, for each experiment. */
export function sideBySide(view, experiment, sides) {
  const state = view.compared.get(experiment.name) ?? { url: experiment.paths[0], shoots: false, isBusy: false, result: null };
  view.compared.set(experiment.name, state);
  const compare = (event) => {
    event.preventDefault();
    state.isBusy = true;
    view.draw();
    view.act(async () => {
      try {
        state.result = await post(`/api/experiments/${part(experiment.name)}/compare`, { url: state.url, screenshots: state.shoots });
      } finally {
        state.isBusy = false;
      }
    });
  };
  return html`<h3>Side by side</h3>
    <form class="form-line" @submit=${compare}>
      <label>Path <input class="path" list="experiment-paths" required pattern="/.*" spellcheck="false" autocomplete="off" .value=${state.url}
        @input=${(event) => { state.url = event.target.value; }} /></label>
      <datalist id="experiment-paths">${experiment.paths.map((path) => html`<option value=${path}></option>`)}</datalist>
      <label><input type="checkbox" .checked=${state.shoots} @change=${(event) => { state.shoots = event.target.checked; }} /> with screenshots</label>
      <button class="primary" ?disabled=${state.isBusy}>${state.isBusy ? "Asking…" : "Compare"}</button>
    </form>
    ${state.result ? shown(state.result, sides) : nothing}`;
}

function shown({ url, answers, headers, bodies, screenshots_problem: problem }, sides) {
  const changed = headers.filter(({ differs, changes }) => differs && !changes);
  const others = headers.filter((row) => !changed.includes(row));
  return html`<section class="compared" aria-label="${url} side by side">
    ${problem ? html`<p class="problem">${problem}</p>` : nothing}
    <div class="answers">${answers.map((each) => html`<div class="card" data-side=${sides.get(each.variant)}>
      <p class="card-head"><strong class="side">${each.variant}</strong> <span>${each.status}, ${bytes(each.bytes)}${each.whole ? "" : " and more"}</span>
        <span class="note">${each.x_cache ?? ""}</span>
        ${each.shows && each.shows !== each.variant ? html`<strong data-tone="error">the answer of ${each.shows}</strong>` : nothing}<span class="grow"></span>
        ${each.exchange ? html`<a href="#/exchange/${each.exchange}" aria-label="The journey of ${each.variant}">journey</a>` : nothing}</p>
      ${each.screenshot ? html`<img src=${each.screenshot} width="1280" height="800" alt="The page as ${each.variant} sees it" />` : nothing}
    </div>`)}</div>
    <h4>Headers</h4>
    ${changed.length ? table(changed, answers, "Headers that differ") : html`<p class="note">None differs but those that always do.</p>`}
    <details><summary>${count(others.length, "other header")}</summary>${table(others, answers, "Other headers")}</details>
    ${bodies.map((body) => html`<h4>Body of ${body.variants[1]}, from that of ${body.variants[0]}</h4>${difference(body)}`)}
  </section>`;
}

const table = (rows, answers, caption) => html`<div class="scroll-x" tabindex="0" role="region" aria-label=${caption}><table>
  <thead><tr><th scope="col">header</th>${answers.map(({ variant }) => html`<th scope="col">${variant}</th>`)}</tr></thead>
  <tbody>${rows.map(({ name, values }) => html`<tr><th scope="row">${name}</th>
    ${answers.map(({ variant }) => html`<td class="code">${values[variant] ?? "–"}</td>`)}</tr>`)}</tbody></table></div>`;

function difference({ same, lines, cut }) {
  if (same) return html`<p class="note">The same, byte for byte.</p>`;
  if (!lines) return html`<p class="note">They differ, and are no text.</p>`;
  return html`<pre class="body-diff" tabindex="0">${lines.map(([sign, text]) => html`<span data-sign=${sign}>${sign} ${text}\n</span>`)}</pre>
    ${cut ? html`<p class="note">Only the beginning is compared.</p>` : nothing}`;
}
