// The list of requests beside the one that is looked at.

import { saveHar } from "./actions.js";
import { ExchangeView } from "./exchange.js";
import { filterKeys, parseFilter } from "./filter.js";
import { bytes, count, ms, shortResult, timeOfDay, tone } from "./format.js";
import { List } from "./list.js";
import { html, render } from "./vendor/lit-html.js";

/** What answers when it is no distribution. */
const DOORS = { distribution: "", "function-url": "URL", alb: "ALB", invoke: "invoke" };

const cells = (exchange) => ({
  at: timeOfDay(exchange.started),
  method: exchange.method,
  path: exchange.path,
  query: exchange.query ? `?${exchange.query}` : "",
  status: exchange.status === null ? "–" : String(exchange.status),
  result: exchange.result_type ? shortResult(exchange.result_type) : DOORS[exchange.door],
  fn: [...new Set(exchange.functions.map((run) => run.name))].join(", "),
  size: bytes(exchange.bytes),
  time: ms(exchange.duration_ms),
  tone: tone(exchange.result_type, exchange.status),
});

/** More than the edge keeps, unless it is told to keep more. */
const HAR_MOST = 5000;

const QUICK = [["All", ""], ["Hits", "hit:hit"], ["Misses", "hit:miss"], ["Errors", "status:>=400"]];

export class RequestsView {
  constructor(root, exchanges, context) {
    this.exchanges = exchanges;
    this.context = context;
    this.filter = parseFilter("");
    this.text = "";
    this.isPaused = false;
    this.held = 0;
    this.leftOut = 0;
    this.shown = [];
    this.root = root;
    root.className = "requests";

    this.tools = document.createElement("div");
    this.tools.className = "tools";
    this.list = new List(cells, (exchange, how) => this.#chosen(exchange, how));
    this.empty = document.createElement("div");
    this.empty.className = "empty";
    const left = document.createElement("section");
    left.className = "left";
    left.setAttribute("aria-label", "Requests");
    const heading = document.createElement("h1");
    heading.className = "visually-hidden";
    heading.textContent = "Requests";
    left.append(heading, this.tools, this.list.root, this.empty);
    const right = document.createElement("section");
    right.className = "right";
    right.setAttribute("aria-label", "The chosen request");
    root.append(left, this.#splitter(left), right);
    this.detail = new ExchangeView(right, exchanges, context);

    exchanges.addEventListener("change", ({ detail }) => this.#changed(detail.added));
    exchanges.addEventListener("left-out", ({ detail }) => (this.leftOut += detail));
    this.#refilter();
  }

  /** Follows the address: `#/requests` or `#/exchange/ID/TAB`. */
  open(id, tab) {
    this.root.dataset.open = id ? "exchange" : "list";
    if (id) {
      this.wanted = id;
      this.#markWanted();
      this.detail.show(id, tab);
    } else if (!this.list.chosen) {
      this.#openNewest();
    }
  }

  /** The request of the address may be known before the list has come. */
  #markWanted() {
    if (!this.wanted || this.list.chosen?.id === this.wanted) return;
    const item = this.shown.findLast((each) => each.id === this.wanted);
    if (item) this.list.mark(item);
  }

  #openNewest() {
    const newest = this.shown.at(-1);
    if (!newest || this.root.hidden || this.root.dataset.open === "exchange") return;
    this.list.mark(newest);
    this.detail.show(newest.id);
  }

  #chosen(exchange, { open }) {
    const address = `#/exchange/${exchange.id}`;
    const isNarrow = matchMedia("(max-width: 899px)").matches;
    if (open) location.hash = address;
    else if (!isNarrow) {
      this.wanted = exchange.id;
      history.replaceState(null, "", address);
      this.root.dataset.open = "exchange";
      this.detail.show(exchange.id);
    }
  }

  #changed(added) {
    if (this.isPaused && added) {
      this.held += added.length;
      this.#drawTools();
      return;
    }
    if (added && this.exchanges.all.length > this.seen) {
      const more = added.filter(this.filter.test);
      this.shown.push(...more);
      this.list.set(this.shown, more.length);
    } else {
      // The oldest have been dropped, or older ones have come.
      const before = this.shown.length;
      this.shown = this.exchanges.all.filter(this.filter.test);
      this.list.set(this.shown, added ? Math.max(0, this.shown.length - before) : 0);
    }
    this.seen = this.exchanges.all.length;
    this.#markWanted();
    if (!this.list.chosen) this.#openNewest();
    this.#drawTools();
  }

  #refilter() {
    this.shown = this.exchanges.all.filter(this.filter.test);
    this.seen = this.exchanges.all.length;
    this.list.root.scrollTop = 0;
    this.list.set(this.shown, 0);
    this.#drawTools();
  }

  setFilter(text) {
    this.text = text;
    this.filter = parseFilter(text);
    this.#refilter();
  }

  pause() {
    this.isPaused = !this.isPaused;
    this.context.say(this.isPaused ? "The list is paused." : "The list is live.");
    if (!this.isPaused) {
      this.held = 0;
      this.#refilter();
    }
    this.#drawTools();
  }

  clear() {
    this.list.chosen = null;
    this.leftOut = 0;
    this.exchanges.clear();
    this.#refilter();
  }

  #drawTools() {
    const { all } = this.exchanges;
    const missed = this.leftOut ? `, ${this.leftOut.toLocaleString("en")} more came too fast to be shown` : "";
    const counted =
      this.shown.length === all.length
        ? count(all.length, "request")
        : `${this.shown.length.toLocaleString("en")} of ${count(all.length, "request")}`;
    render(
      html`
        <div class="search" data-bad=${Boolean(this.filter.problem)}>
          <input id="filter" type="search" spellcheck="false" autocomplete="off"
            aria-label="Filter requests" aria-describedby="filter-note"
            placeholder="Filter: status:5xx hit:miss fn:ab path:/x method:POST, or any text"
            list="filter-keys" .value=${this.text}
            @input=${(event) => this.setFilter(event.target.value)} />
          <datalist id="filter-keys">
            ${filterKeys.map((key) => html`<option value=${`${key}:`}></option>`)}
          </datalist>
        </div>
        <div class="chips" role="group" aria-label="Quick filters">
          ${QUICK.map(
            ([label, text]) => html`<button type="button" class="chip"
              aria-pressed=${this.text.trim() === text}
              @click=${() => this.setFilter(text)}>${label}</button>`,
          )}
          <span class="grow"></span>
          <span id="filter-note" class="note" data-bad=${Boolean(this.filter.problem)}>
            ${this.filter.problem || counted + missed}</span>
          <button type="button" class="chip" aria-pressed=${this.isPaused}
            title="Pause or go on (p)" @click=${() => this.pause()}>
            ${this.isPaused ? (this.held ? `Go on, ${this.held} new` : "Go on") : "Pause"}
          </button>
          <button type="button" class="chip" title="Save what is shown as an HTTP archive"
            ?disabled=${!this.shown.length} @click=${() => saveHar(this.shown.slice(-HAR_MOST), this.context)}>HAR</button>
          <button type="button" class="chip" title="Empty the list (the edge keeps its history)"
            @click=${() => this.clear()}>Clear</button>
        </div>
      `,
      this.tools,
    );
    const { viewer } = this.context.endpoints ?? {};
    this.empty.hidden = this.shown.length > 0;
    render(
      all.length
        ? html`<p>No request fits the filter.</p>
            <button type="button" @click=${() => this.setFilter("")}>Show all</button>`
        : html`<p>Waiting for the first request.</p>
            ${viewer ? html`<p>Open <a href=${viewer} target="_blank" rel="noreferrer">${viewer}</a></p>` : ""}`,
      this.empty,
    );
  }

  /** The keys of the view; true when the key was taken. */
  key(event) {
    const isInDetail = Boolean(event.target.closest?.(".right"));
    const isOnPage = event.target === document.body || this.list.root.contains(event.target)
      || event.target.id === "view";
    switch (event.key) {
      case "j": this.list.step(1); return true;
      case "k": this.list.step(-1); return true;
      case "ArrowDown": if (isOnPage) this.list.step(1); return isOnPage;
      case "ArrowUp": if (isOnPage) this.list.step(-1); return isOnPage;
      case "PageDown": if (isOnPage) this.list.step(20); return isOnPage;
      case "PageUp": if (isOnPage) this.list.step(-20); return isOnPage;
      case "Home": if (isOnPage) this.list.edge(true); return isOnPage;
      case "End": if (isOnPage) this.list.edge(false); return isOnPage;
      case "g": this.list.edge(true); return true;
      case "/": this.tools.querySelector("input").focus(); return true;
      case "p": this.pause(); return true;
      case "Enter":
        if (!isOnPage || !this.list.chosen) return false;
        location.hash = `#/exchange/${this.list.chosen.id}`;
        this.detail.focus();
        return true;
      case "Escape":
        if (isInDetail || this.root.dataset.open === "exchange") {
          if (matchMedia("(max-width: 899px)").matches) location.hash = "#/requests";
          this.list.root.focus();
          return true;
        }
        return false;
      default:
        return this.detail.key(event);
    }
  }

  #splitter(left) {
    const splitter = document.createElement("div");
    splitter.className = "splitter";
    for (const [name, value] of Object.entries({
      role: "separator", tabindex: "0", "aria-orientation": "vertical",
      "aria-label": "Width of the list", "aria-valuemin": "20", "aria-valuemax": "80",
    })) splitter.setAttribute(name, value);
    const set = (share) => {
      const held = Math.min(80, Math.max(20, share));
      splitter.setAttribute("aria-valuenow", Math.round(held));
      this.root.style.setProperty("--left", `${held}%`);
      localStorage.setItem("left", held);
    };
    const kept = Number(localStorage.getItem("left"));
    if (kept) set(kept);
    else splitter.setAttribute("aria-valuenow", "44");
    splitter.addEventListener("pointerdown", (event) => {
      splitter.setPointerCapture(event.pointerId);
      splitter.onpointermove = (move) => {
        const box = this.root.getBoundingClientRect();
        set((100 * (move.clientX - box.left)) / box.width);
      };
    });
    splitter.addEventListener("lostpointercapture", () => (splitter.onpointermove = null));
    splitter.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
      if (!by) return;
      set((100 * left.getBoundingClientRect().width) / this.root.clientWidth + by);
      event.preventDefault();
    });
    return splitter;
  }
}
