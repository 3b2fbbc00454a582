// The exchanges this page knows of, and the stream that brings more.

import { get, part } from "./api.js";

const KEPT = 10_000;
/** Dropping one by one would move the whole array each time. */
const SLACK = 1_000;

/** Oldest first. Events: `change` with `detail.added` (once per frame), `state` of the stream. */
export class Exchanges extends EventTarget {
  all = [];
  state = "connecting";
  #known = new Set();
  #waiting = [];
  #frame = 0;
  #stream = null;
  #isCleared = false;

  async start() {
    let page = null;
    try {
      page = await get("/api/exchanges?limit=200");
      this.#add(page.exchanges.reverse());
      this.#follow();
    } catch {
      this.#setState("lost");
      setTimeout(() => this.start(), 1000);
      return;
    }
    // That the edge is gone is told by the stream.
    this.#fetchOlder(page.next).catch(() => {});
  }

  #follow() {
    this.#stream = new EventSource("/api/exchanges/stream");
    this.#stream.onopen = async () => {
      this.#setState("live");
      // What ended between the first page and the stream; a failure closes the stream too.
      const { exchanges } = await get("/api/exchanges?limit=200").catch(() => ({ exchanges: [] }));
      this.#add(exchanges.reverse());
    };
    this.#stream.onmessage = ({ data }) => {
      this.#waiting.push(JSON.parse(data));
      this.#frame ||= requestAnimationFrame(() => this.#flush());
    };
    this.#stream.addEventListener("left-out", ({ data }) => {
      this.dispatchEvent(new CustomEvent("left-out", { detail: JSON.parse(data).count }));
    });
    // The browser connects again by itself, with the ID of the last event it had.
    this.#stream.onerror = () => {
      this.#setState("lost");
      if (this.#stream.readyState === EventSource.CLOSED) setTimeout(() => this.#follow(), 1000);
    };
  }

  #flush() {
    this.#frame = 0;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#add(waiting.length > KEPT ? waiting.slice(-KEPT) : waiting);
  }

  #add(exchanges) {
    const added = exchanges.filter(({ id }) => !this.#known.has(id));
    for (const exchange of added) {
      this.#known.add(exchange.id);
      this.all.push(exchange);
    }
    if (this.all.length > KEPT + SLACK) {
      for (const { id } of this.all.splice(0, this.all.length - KEPT)) this.#known.delete(id);
    }
    this.#tell(added);
  }

  async #fetchOlder(next) {
    while (next && this.all.length < KEPT) {
      const page = await get(`/api/exchanges?limit=1000&after=${part(next)}`);
      if (this.#isCleared) return;
      const older = page.exchanges.reverse().filter(({ id }) => !this.#known.has(id));
      for (const { id } of older) this.#known.add(id);
      this.all.unshift(...older);
      this.#tell(null);
      ({ next } = page);
    }
  }

  /** `added` is null when the order of the old ones has changed. */
  #tell(added) {
    if (added === null || added.length) {
      this.dispatchEvent(new CustomEvent("change", { detail: { added } }));
    }
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  /** Forgets what is shown; the edge keeps its history. */
  clear() {
    // The newest may come once more, when the stream connects again.
    this.#known = new Set(this.all.slice(-1000).map(({ id }) => id));
    this.all = [];
    this.#isCleared = true;
    this.#tell(null);
  }
}
