// One request: its journey, why it was answered as it was, its messages.

import { get, part } from "./api.js";
import { actions } from "./actions.js";
import { behaviorFunctions } from "./distributions.js";
import { bytes, ms, tone } from "./format.js";
import { journeyMap, stationPanel, waterfall } from "./journey.js";
import { messageTable } from "./message.js";
import { journey } from "./stations.js";
import { html, nothing, render } from "./vendor/lit-html.js";
import { whyPanel } from "./why.js";

const TABS = [["journey", "Journey"], ["why", "Why"], ["messages", "Messages"]];

export class ExchangeView {
  exchange = null;
  tab = "journey";
  station = null;
  problem = "";

  constructor(root, exchanges, context) {
    this.root = root;
    this.context = context;
    this.render();
    setInterval(() => this.#tick(), 1000);
    new ResizeObserver(([{ contentRect }]) => {
      const isWide = contentRect.width >= 1150;
      if (isWide === this.isWide) return;
      this.isWide = isWide;
      if (isWide && this.tab === "why") this.tab = "journey";
      this.render();
    }).observe(root);
  }

  /** Shows the exchange; what was shown stays until it is there. */
  async show(id, tab) {
    if (tab && TABS.some(([key]) => key === tab)) this.tab = this.isWide && tab === "why" ? "journey" : tab;
    if (this.exchange?.id === id) return this.render();
    this.asking?.abort();
    this.asking = new AbortController();
    try {
      const exchange = await get(`/api/exchanges/${part(id)}`, this.asking.signal);
      this.attached = await behaviorFunctions(exchange);
      if (this.asking.signal.aborted) return undefined;
      this.#set(exchange);
    } catch (error) {
      if (error.name === "AbortError") return undefined;
      this.exchange = null;
      this.problem = error.status === 404 ? "The edge no longer keeps this request." : error.message;
    }
    return this.render();
  }

  #set(exchange) {
    this.exchange = exchange;
    this.problem = "";
    this.fetchedAt = performance.now();
    this.journey = journey(exchange, this.attached);
    const { stations } = this.journey;
    // What broke is what one wants to see; else the station one was at, else where it turned.
    const broken = stations.find(({ state }) => state === "broken");
    const same = stations.find(({ key, state }) => key === this.station && state !== "skipped");
    const turn = stations.find(({ key }) => key === this.journey.turn);
    this.station = (broken ?? same ?? turn ?? stations[0]).key;
    this.root.scrollTop = 0;
  }

  focus() {
    this.root.querySelector("h1")?.focus();
  }

  select(key, isFocused) {
    this.station = key;
    this.render();
    if (isFocused) this.root.querySelector(`.station[data-key="${key}"]`)?.focus();
  }

  #tabTo(tab, isFocused) {
    this.tab = tab;
    this.render();
    if (isFocused) this.root.querySelector('[role="tab"][aria-selected="true"]')?.focus();
  }

  key(event) {
    if (!this.exchange) return false;
    const tabs = this.#tabs();
    switch (event.key) {
      case "h": this.#move(-1); return true;
      case "l": this.#move(1); return true;
      case "ArrowLeft":
      case "ArrowRight": {
        const by = event.key === "ArrowLeft" ? -1 : 1;
        if (event.target.role === "tab") {
          const at = tabs.findIndex(([key]) => key === this.tab);
          this.#tabTo(tabs[(at + by + tabs.length) % tabs.length][0], true);
          return true;
        }
        if (!event.target.closest?.(".map")) return false;
        this.#move(by, true);
        return true;
      }
      case "w": {
        const at = tabs.findIndex(([key]) => key === this.tab);
        this.#tabTo(tabs[(at + 1) % tabs.length][0]);
        return true;
      }
      case "r": this.root.querySelector("[data-action=again]")?.click(); return true;
      default: return false;
    }
  }

  #move(by, isFocused) {
    const { stations } = this.journey;
    const at = stations.findIndex(({ key }) => key === this.station);
    this.select(stations[Math.min(Math.max(at + by, 0), stations.length - 1)].key, isFocused);
  }

  #tabs() {
    return this.isWide ? TABS.filter(([key]) => key !== "why") : TABS;
  }

  /** How long the object lives on, of what the edge said when it was asked. */
  #left() {
    const left = this.exchange?.why?.expires_in_s;
    return left == null ? null : Math.round(left - (performance.now() - this.fetchedAt) / 1000);
  }

  #tick() {
    if (this.#left() != null && !document.hidden) this.render();
  }

  render() {
    render(this.exchange ? this.#whole() : this.#nothing(), this.root);
  }

  #nothing() {
    return html`<div class="empty"><p>${this.problem || "Choose a request to see its journey."}</p></div>`;
  }

  #whole() {
    const { exchange, tab } = this;
    const tabs = this.#tabs();
    const panels = {
      journey: () => this.#journey(),
      why: () => whyPanel(exchange, this.#left(), this.journey),
      messages: () => html`<div class="both">
        <section><h2>The viewer's request</h2>${messageTable(exchange.request)}</section>
        <section><h2>The viewer's response</h2>${messageTable(exchange.response)}</section>
      </div>`,
    };
    return html`
      <article class="exchange" data-id=${exchange.id}>
        <header class="title">
          <a class="back" href="#/requests">Back to the list</a>
          <h1 tabindex="-1"><span class="method">${exchange.method}</span>
            <span class="url">${exchange.path}${exchange.query ? html`<span class="query">?${exchange.query}</span>` : nothing}</span></h1>
          <p class="line" data-tone=${tone(exchange.result_type, exchange.status)}>
            <strong class="status">${exchange.status ?? "no answer"}</strong>
            ${exchange.result_type ? html`<strong class="result">${exchange.detailed_result_type}</strong>` : nothing}
            <span>${ms(exchange.duration_ms)}</span>
            <span>${bytes(exchange.bytes)}</span>
            <span>${exchange.name}</span>
            <span class="host">${exchange.host}</span>
            ${exchange.aborted ? html`<strong class="status">the viewer left</strong>` : nothing}
          </p>
          ${actions(exchange, this.station, this.context)}
        </header>
        <div class="tabs" role="tablist" aria-label="Parts of the request">
          ${tabs.map(
            ([key, label]) => html`<button type="button" role="tab" id="tab-${key}"
              aria-selected=${tab === key} aria-controls="panel" tabindex=${tab === key ? 0 : -1}
              @click=${() => this.#tabTo(key)}>${label}</button>`,
          )}
        </div>
        <div class="panels" data-wide=${Boolean(this.isWide)}>
          <div class="panel" id="panel" role="tabpanel" aria-labelledby="tab-${tab}" tabindex="-1">
            ${panels[tab]()}
          </div>
          ${this.isWide
            ? html`<aside class="panel why" aria-label="Why"><h2>Why</h2>${panels.why()}</aside>`
            : nothing}
        </div>
      </article>`;
  }

  #journey() {
    const station = this.journey.stations.find(({ key }) => key === this.station);
    const select = (key) => this.select(key);
    return html`
      ${journeyMap(this.journey, this.station, select)}
      ${waterfall(this.exchange, this.journey, this.station, select)}
      ${stationPanel(station, this.exchange)}`;
  }
}
