// What the views beside the list of requests share.

import { html, nothing, render } from "./vendor/lit-html.js";

/** A view that asks the edge again while it is looked at. */
export class Page {
  problem = "";
  #timer = 0;

  constructor(root, exchanges, context, seconds = 2) {
    this.root = root;
    this.exchanges = exchanges;
    this.context = context;
    this.seconds = seconds;
  }

  enter(...rest) {
    this.rest = rest;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => document.hidden || this.refresh(), this.seconds * 1000);
    this.refresh();
  }

  leave() {
    clearInterval(this.#timer);
  }

  /** Subclasses: `load()` asks the edge, `body()` says what is shown. */
  async refresh() {
    try {
      await this.load();
      this.problem = "";
    } catch (error) {
      this.problem = error.message;
    }
    this.draw();
  }

  draw() {
    render(
      html`${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
        ${this.body()}`,
      this.root,
    );
  }

  /** Does something at the edge, says what came of it, and shows what is so then. */
  async act(what) {
    try {
      const said = await what();
      if (said) this.context.say(said);
    } catch (error) {
      this.context.say(error.message);
    }
    document.dispatchEvent(new Event("edge-changed"));
    await this.refresh();
  }
}
