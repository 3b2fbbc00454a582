// The edge's clock: move it forward, and watch objects expire.

import { del, get, post } from "./api.js";
import { bytes, seconds } from "./format.js";
import { Page } from "./page.js";
import { html, nothing } from "./vendor/lit-html.js";

const STEPS = [["+10 s", 10], ["+1 min", 60], ["+10 min", 600], ["+1 h", 3600], ["+1 d", 86400], ["+30 d", 2592000]];

export class View extends Page {
  now = null;

  constructor(root, exchanges, context) {
    super(root, exchanges, context, 1);
  }

  async load() {
    const [clock, cache] = await Promise.all([get("/api/clock"), get("/api/cache?limit=200")]);
    this.now = new Date(clock.now);
    this.offset = clock.offset_s;
    this.variants = cache.objects
      .flatMap((object) => object.variants.map((variant) => ({ ...variant, path: object.path, query: object.query })))
      .sort((a, b) => a.expires_in_s - b.expires_in_s);
  }

  body() {
    if (!this.now) return nothing;
    const advance = (value) => this.act(async () => {
      await post("/api/clock", { advance_s: value });
      return `The clock is ${seconds(value)} further.`;
    });
    return html`
      <header class="head-line"><h1>Clock</h1>
        <p class="note">The edge's time: freshness, ages, signatures, dates in logs. Timeouts stay real.</p></header>
      <div class="clock-face">
        <time datetime=${this.now.toISOString()}>${this.now.toLocaleTimeString("en-GB")}</time>
        <p>${this.now.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric" })}</p>
        <p class="note">${this.offset >= 0.5 ? `${seconds(this.offset)} ahead of real time` : "real time"}</p>
      </div>
      <div class="form-line center" role="group" aria-label="Move forward">
        ${STEPS.map(([label, value]) => html`<button type="button" @click=${() => advance(value)}>${label}</button>`)}
        <button type="button" ?disabled=${this.offset < 0.5}
          @click=${() => this.act(() => del("/api/clock").then(() => "The clock shows real time."))}>Back to real time</button>
      </div>
      <h2>What expires next</h2>
      ${this.variants.length
        ? html`<ol class="expiring">${this.variants.map((variant) => this.#bar(variant))}</ol>`
        : html`<p class="note">Nothing lies in the cache.</p>`}`;
  }

  #bar(variant) {
    const { path, query, key, ttl_s: whole, expires_in_s: left } = variant;
    const marks = key.filter(({ part }) => !["distribution", "path"].includes(part)).map(({ part, value }) => `${part} ${value}`);
    return html`<li data-gone=${left <= 0}>
      <span class="name code">${path}${query ? `?${query}` : ""} <span class="note">${marks.join(", ")}</span></span>
      <progress max=${Math.max(whole, 1)} value=${Math.max(0, left)} aria-label="Time left of ${path}"></progress>
      <span class="left">${left > 0 ? seconds(left) : "expired"}</span>
      <span class="note size">${bytes(variant.bytes)}</span></li>`;
  }
}
