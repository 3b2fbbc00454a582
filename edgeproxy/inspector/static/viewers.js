// Who asks: personas with a country, a device, an address, each with a host name of its own.

import { del, get, part, post } from "./api.js";
import { Page } from "./page.js";
import { html, nothing } from "./vendor/lit-html.js";

const FIELDS = ["country", "city", "device", "ip", "language", "http_version"];

export class View extends Page {
  viewers = null;

  constructor(root, exchanges, context) {
    super(root, exchanges, context, 5);
  }

  async load() {
    ({ viewers: this.viewers } = await get("/api/viewers"));
  }

  body() {
    if (!this.viewers) return nothing;
    return html`
      <header class="head-line"><h1>Viewers</h1>
        <p class="note">Each has a host name of its own, and so its own cookies: open one per browser tab.</p></header>
      ${this.viewers.length
        ? html`<ul class="personas">${this.viewers.map((viewer) => this.#persona(viewer))}</ul>`
        : nothing}
      <h2>A new viewer</h2>
      <form class="fields-form" @submit=${(event) => this.#make(event)}>
        <label>Name<input name="name" required pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?" maxlength="40" placeholder="tokyo-phone" autocomplete="off" /></label>
        <label>Country<input name="country" pattern="[A-Za-z]{2}" maxlength="2" placeholder="JP" autocomplete="off" /></label>
        <label>City<input name="city" placeholder="Tokyo" autocomplete="off" /></label>
        <label>Device<select name="device"><option value="">any</option>${["desktop", "mobile", "tablet", "tv"].map((each) => html`<option>${each}</option>`)}</select></label>
        <label>IP address<input name="ip" placeholder="203.0.113.7" autocomplete="off" /></label>
        <label>Language<input name="language" placeholder="ja" autocomplete="off" /></label>
        <label>HTTP<select name="http_version"><option value="any">any</option><option>1.1</option><option>2</option></select></label>
        <button class="primary">Make</button>
      </form>`;
  }

  #persona(viewer) {
    const told = FIELDS.filter((field) => viewer[field] && viewer[field] !== "any").map((field) => [field, viewer[field]]);
    if (viewer.variant) told.push(["put on", `${viewer.variant.variant} of ${viewer.variant.experiment}`]);
    const doors = Object.entries(viewer.distributions).flatMap(([name, { http, https }]) =>
      [http, https].filter(Boolean).map((url) => [name, url]));
    return html`<li class="card">
      <p class="card-head"><strong>${viewer.name}</strong><span class="grow"></span>
        <button type="button" aria-label="Remove ${viewer.name}"
          @click=${() => this.act(() => del(`/api/viewers/${part(viewer.name)}`).then(() => `${viewer.name} is gone.`))}>Remove</button></p>
      <dl class="facts">${told.map(([name, value]) => html`<div><dt>${name.replaceAll("_", " ")}</dt><dd>${value}</dd></div>`)}</dl>
      ${doors.map(([name, url]) => html`<p><a class="code" href=${url} title=${name} target="_blank" rel="noreferrer">${url}</a></p>`)}
    </li>`;
  }

  #make(event) {
    event.preventDefault();
    const { target } = event;
    const fields = Object.fromEntries([...new FormData(target)].filter(([, value]) => value !== ""));
    this.act(async () => {
      await post("/api/viewers", fields);
      target.reset();
      return `${fields.name} is ready.`;
    });
  }
}
