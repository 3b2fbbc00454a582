// The last minutes: requests, hit ratio, where the time went, errors, shares of variants.

import { get, part } from "./api.js";
import { chart } from "./chart.js";
import { count, ms, percent } from "./format.js";
import { Page } from "./page.js";
import { html, nothing } from "./vendor/lit-html.js";

const PERCENTILES = ["p50", "p95", "p99"];
const PARTS = ["edge", "function", "origin"];

export class View extends Page {
  minutes = 5;
  cookie = localStorage.getItem("variant-cookie") ?? "";
  data = null;

  async load() {
    const cookie = this.cookie ? `&cookie=${part(this.cookie)}` : "";
    this.data = await get(`/api/charts?minutes=${this.minutes}${cookie}`);
  }

  body() {
    const { data } = this;
    if (!data) return nothing;
    const { points, step_s: step } = data;
    const values = (of) => points.map((point) => (point.requests ? of(point) : null));
    const sum = (of) => points.reduce((total, point) => total + (of(point) ?? 0), 0);
    const requests = sum((point) => point.requests);
    const hits = sum((point) => point.hits);
    const errors = sum((point) => point.errors);
    const clientErrors = sum((point) => point.client_errors);
    const newest = points.findLast((point) => point.requests);
    return html`
      <header class="head-line"><h1>Charts</h1>
        <label>Last <select @change=${(event) => { this.minutes = Number(event.target.value); this.refresh(); }}>
          ${[1, 5, 15].map((each) => html`<option value=${each} ?selected=${each === this.minutes}>${each} min</option>`)}</select></label>
        <span class="note">a bar is ${step} s</span></header>
      <div class="figures">
        ${chart({
          title: "Requests", summary: count(requests, "request"), format: (value) => `${value}`,
          stacked: [
            { kind: "hit", label: "hits", values: points.map((point) => point.hits) },
            { kind: "miss", label: "others", values: points.map((point) => point.requests - point.hits) },
          ],
        })}
        ${chart({
          title: "Hit ratio", summary: percent(hits, requests), format: (value) => `${value} %`, max: 100,
          lines: [{ kind: "hit", label: "hit ratio", values: values((point) => (100 * point.hits) / point.requests) }],
        })}
        ${chart({
          title: "Latency", summary: newest?.total ? `p50 ${ms(newest.total.p50)}, p99 ${ms(newest.total.p99)}` : "–", format: ms,
          lines: PERCENTILES.map((each) => ({ kind: each, label: each, values: values((point) => point.total?.[each]) })),
        })}
        ${chart({
          title: "Errors", summary: `${errors} of status 5xx, ${percent(errors, requests)}; ${clientErrors} of 4xx`, format: (value) => `${value}`,
          stacked: [
            { kind: "error", label: "5xx", values: points.map((point) => point.errors) },
            { kind: "origin", label: "4xx", values: points.map((point) => point.client_errors) },
          ],
        })}
        ${PERCENTILES.map((each) => chart({
          title: `Where the time goes, ${each}`,
          summary: newest ? PARTS.filter((name) => newest[name]).map((name) => `${name} ${ms(newest[name][each])}`).join(", ") || "–" : "–",
          format: ms,
          lines: PARTS.map((name) => ({ kind: name, label: name, values: values((point) => point[name]?.[each]) })),
        }))}
        ${this.#variants(data.variants)}
      </div>`;
  }

  #variants(variants) {
    const total = (variants ?? []).reduce((sum, variant) => sum + variant.count, 0);
    return html`<figure class="chart">
      <figcaption><strong>Share per variant</strong>
        <label>Cookie <input id="variant-cookie" size="10" placeholder="ab" autocomplete="off" .value=${this.cookie} @change=${(event) => {
          this.cookie = event.target.value.trim();
          localStorage.setItem("variant-cookie", this.cookie);
          this.refresh();
        }} /></label></figcaption>
      ${total
        ? html`<dl class="shares">${variants.map(({ name, count: number }) => html`<div><dt>${name || "none"}</dt>
            <dd><meter min="0" max=${total} value=${number} aria-label="Share of ${name || "none"}"></meter>
            <span>${percent(number, total)}</span> <span class="note">${number.toLocaleString("en")}</span></dd></div>`)}</dl>`
        : html`<p class="note">${this.cookie ? "No request had that cookie." : "Name the cookie that tells variants apart."}</p>`}
    </figure>`;
  }
}
