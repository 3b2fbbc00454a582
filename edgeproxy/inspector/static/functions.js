// Functions: what they are, how they do, their log, and a test invocation.

import { get, part, post } from "./api.js";
import { sparkline } from "./chart.js";
import { count, ms, timeOfDay } from "./format.js";
import { log, plain, runProblems } from "./journey.js";
import { Page } from "./page.js";
import { html, nothing } from "./vendor/lit-html.js";

const EVENT_TYPES = ["viewer-request", "origin-request", "origin-response", "viewer-response"];
const KINDS = { lambda: "Lambda", cloudfront: "CloudFront Function", connection: "connection function" };

const MINUTES = 15;

/** A value for each of the last minutes; the edge tells those in which something ran. */
function lastMinutes(minutes) {
  const told = new Map(minutes.map((minute) => [Date.parse(minute.time), minute]));
  const newest = Math.max(Math.floor(Date.now() / 60_000) * 60_000, ...told.keys());
  return Array.from({ length: MINUTES }, (_, index) =>
    told.get(newest - (MINUTES - 1 - index) * 60_000) ?? { invocations: 0, errors: 0, throttles: 0 });
}

export class View extends Page {
  functions = null;
  lines = [];
  run = null;

  enter(name) {
    if (name !== this.name) {
      this.name = name;
      this.lines = [];
      this.run = null;
      this.event = null;
    }
    super.enter();
  }

  async load() {
    ({ functions: this.functions } = await get("/api/functions"));
    this.samples ??= (await get("/api/samples")).samples;
    this.name ??= this.functions[0]?.name;
    if (!this.name) return;
    const { lines } = await get(`/api/functions/${part(this.name)}/logs?limit=200`);
    const log = this.root.querySelector(".live-log");
    this.isAtEnd = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    this.lines = lines;
  }

  draw() {
    super.draw();
    const log = this.root.querySelector(".live-log");
    if (log && this.isAtEnd) log.scrollTop = log.scrollHeight;
  }

  body() {
    const { functions } = this;
    if (!functions) return nothing;
    if (!functions.length) return html`<div class="empty-page"><h1>Functions</h1><p>The definition has none.</p></div>`;
    const chosen = functions.find(({ name }) => name === this.name);
    return html`<header class="head-line"><h1>Functions</h1></header>
      <div class="two">
        <nav class="choices" aria-label="Functions">${functions.map((each) => this.#choice(each))}</nav>
        ${chosen ? this.#function(chosen) : html`<p class="note">There is no function of that name.</p>`}
      </div>`;
  }

  #choice(each) {
    const minutes = lastMinutes(each.minutes);
    const invocations = minutes.reduce((sum, minute) => sum + minute.invocations, 0);
    const errors = minutes.reduce((sum, minute) => sum + minute.errors, 0);
    return html`<a class="choice" href="#/functions/${part(each.name)}" aria-current=${each.name === this.name ? "true" : nothing}>
      <strong>${each.name}</strong>
      <span class="note">${KINDS[each.kind]}${each.runtime ? `, ${each.runtime}` : ""}</span>
      ${sparkline(minutes.map((minute) => minute.invocations), count(invocations, "invocation"), errors ? "error" : "function")}
    </a>`;
  }

  #function(each) {
    const minutes = lastMinutes(each.minutes);
    const sum = (field) => minutes.reduce((total, minute) => total + (minute[field] ?? 0), 0);
    const fact = (name, value) => (value == null || value === "" ? nothing : html`<div><dt>${name}</dt><dd>${value}</dd></div>`);
    return html`<article class="function">
      <h2>${each.name}</h2>
      <dl class="facts">
        ${fact("kind", KINDS[each.kind])}
        ${fact("runtime", each.runtime)} ${fact("handler", each.handler)}
        ${fact("memory", each.memory_mb && `${each.memory_mb} MB`)} ${fact("timeout", each.timeout_s && `${each.timeout_s} s`)}
        ${fact("versions", each.versions?.join(", "))}
        ${fact("aliases", Object.entries(each.aliases).map(([name, version]) => alias(name, version, each.weights[name])).join(", "))}
      </dl>
      ${this.#environments(each.environments)}
      ${each.associations.length
        ? html`<h3>Runs at</h3><ul class="plain">${each.associations.map(({ distribution, path_pattern: pattern, event_type: type }) =>
            html`<li>${type} of <span class="code">${pattern}</span> in ${distribution}</li>`)}</ul>`
        : nothing}
      <h3>Last ${MINUTES} minutes</h3>
      <div class="sparks">
        ${[["invocations", "function"], ["errors", "error"], ["throttles", "origin"]].map(([field, kind]) => html`<figure>
          <figcaption>${field} <strong>${sum(field).toLocaleString("en")}</strong></figcaption>
          ${sparkline(minutes.map((minute) => minute[field] ?? 0), `${field}: ${sum(field)}`, kind)}</figure>`)}
      </div>
      ${each.last_error ? html`<div class="finding"><h3>Last error</h3><p class="words">${each.last_error}</p></div>` : nothing}
      ${each.kind === "connection" ? nothing : this.#invoke(each)}
      <h3>Log</h3>
      ${this.lines.length
        ? html`<pre class="log live-log" tabindex="0" aria-label="Log">${this.lines.map(
            (line) => html`<span data-stream=${line.stream}><i>${timeOfDay(line.time)}</i> ${plain(line.message)}\n</span>`)}</pre>`
        : html`<p class="note">Nothing was written yet.</p>`}
    </article>`;
  }

  #environments(environments) {
    if (!environments) return nothing;
    const { busy, idle, cold } = environments;
    const shown = [["busy", busy], ["warm", idle], ["cold", cold]];
    const total = busy + idle + cold;
    return html`<h3>Execution environments</h3>
      <p class="environments">
        ${shown.flatMap(([state, number]) => Array.from({ length: Math.min(number, 50) }, () => html`<i data-state=${state}></i>`))}
        <span>${total ? shown.filter(([, number]) => number).map(([state, number]) => `${number} ${state}`).join(", ") : "none: the next invocation is a cold start"}</span>
      </p>`;
  }

  #invoke(each) {
    const types = EVENT_TYPES.filter((type) => each.associations.some(({ event_type: own }) => own === type));
    return html`<h3>Test</h3>
      <form class="invoke" @submit=${(event) => this.#run(event, each)}>
        <div class="form-line">
          ${types.length ? this.#edgeEvents(types) : this.#otherEvents()}
          <button type="button" @click=${(event) => this.#make(event, each)}>Make the event</button>
        </div>
        <label class="visually-hidden" for="event">Event</label>
        <textarea id="event" name="event" rows="8" spellcheck="false" placeholder="The event, as JSON" required .value=${this.event ?? ""}
          @input=${(event) => { this.event = event.target.value; }}></textarea>
        <button class="primary">Invoke</button>
      </form>
      ${this.run ? result(this.run) : nothing}`;
  }

  #edgeEvents(types) {
    const recorded = this.exchanges.all.filter(({ door }) => door === "distribution").slice(-50).reverse();
    return html`
      <label>Event <select name="event_type">${types.map((type) => html`<option>${type}</option>`)}</select></label>
      <label>made from <select name="exchange">
        <option value="">a sample</option>
        ${recorded.map((exchange) => html`<option value=${exchange.id}>${exchange.method} ${exchange.path} ${exchange.status} ${timeOfDay(exchange.started)}</option>`)}
      </select></label>`;
  }

  /** Functions that run at no edge get events of other services. */
  #otherEvents() {
    return html`<label>Event <select name="sample">
      ${this.samples.map(({ service, kind, meaning }) => html`<option value="${part(service)}/${part(kind)}" title=${meaning}>${service} ${kind}</option>`)}
    </select></label>`;
  }

  async #make(event, each) {
    const fields = Object.fromEntries(new FormData(event.target.form));
    await this.act(async () => {
      const query = new URLSearchParams(["event_type", "exchange"].filter((name) => fields[name]).map((name) => [name, fields[name]]));
      const made = await get(fields.sample ? `/api/samples/${fields.sample}` : `/api/functions/${part(each.name)}/event?${query}`);
      this.event = JSON.stringify(made, null, 2);
    });
  }

  async #run(event, each) {
    event.preventDefault();
    const fields = new FormData(event.target);
    await this.act(async () => {
      let document;
      try {
        document = JSON.parse(fields.get("event"));
      } catch (error) {
        return `The event is no JSON: ${error.message}`;
      }
      this.run = await post(`/api/functions/${part(each.name)}/invoke`, {
        event: document, event_type: fields.get("event_type") || null, qualifier: null,
      });
      return this.run.error ? "The function failed." : "The function returned.";
    });
  }
}

const alias = (name, version, weights = {}) =>
  `${name} → ${[version, ...Object.entries(weights).map(([other, share]) => `${other} (${Math.round(share * 100)} %)`)].join(", ")}`;

function result(run) {
  const isGood = !run.error && !run.findings?.length;
  return html`<section class="result" aria-label="Result" aria-live="polite">
    <p class="verdict"><strong data-tone=${isGood ? "hit" : "error"}>${run.error ? run.error : isGood ? "returned" : "refused by CloudFront"}</strong>
      ${run.duration_ms == null ? nothing : html`in ${ms(run.duration_ms)}`}${run.init_ms ? html`, cold start ${ms(run.init_ms)}` : nothing}</p>
    ${runProblems({ findings: [], ...run })}
    ${run.result === undefined ? nothing : html`<pre tabindex="0" aria-label="What it returned">${JSON.stringify(run.result, null, 2)}</pre>`}
    ${run.log?.length ? log(run.log) : nothing}
  </section>`;
}
