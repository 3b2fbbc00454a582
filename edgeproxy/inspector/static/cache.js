// What lies in the cache: paths, their variants side by side, and how to drop them.

import { del, get, part, post } from "./api.js";
import { bytes, count, seconds } from "./format.js";
import { Page } from "./page.js";
import { html, nothing } from "./vendor/lit-html.js";

const SHOWN = 200;

export class View extends Page {
  objects = null;
  prefix = "";
  open = new Set();

  async load() {
    const answer = await get(`/api/cache?limit=${SHOWN}&path=${part(this.prefix)}`);
    Object.assign(this, answer);
    this.askedAt = performance.now();
  }

  enter(...rest) {
    super.enter(...rest);
    this.ticking = setInterval(() => document.hidden || this.draw(), 1000);
  }

  leave() {
    super.leave();
    clearInterval(this.ticking);
  }

  body() {
    const { objects } = this;
    return html`
      <header class="head-line">
        <h1>Cache</h1>
        <p class="note">${objects
          ? html`${count(this.count, "object")}, ${bytes(this.bytes)}${this.max_bytes ? html` of ${bytes(this.max_bytes)}` : nothing}`
          : nothing}</p>
      </header>
      <div class="form-line">
        <label class="visually-hidden" for="cache-path">Paths that begin with</label>
        <input id="cache-path" type="search" class="code" placeholder="Paths that begin with…" spellcheck="false"
          @input=${(event) => { this.prefix = event.target.value; this.refresh(); }} />
        <form class="form-line one" @submit=${(event) => this.#invalidate(event)}>
          <label class="visually-hidden" for="invalidate">Paths to invalidate</label>
          <input id="invalidate" name="paths" class="code" placeholder="/images/* /index.html" required spellcheck="false" />
          <button>Invalidate</button>
        </form>
        <span class="grow"></span>
        <button type="button" class="danger" @click=${() => this.act(() => del("/api/cache").then(() => "The cache is empty."))}>
          Empty the cache</button>
      </div>
      ${objects === null
        ? nothing
        : objects.length
          ? html`<div class="scroll-x" tabindex="0" role="region" aria-label="Objects"><table class="objects">
              <thead><tr>
                <th scope="col">Path</th><th scope="col">Variants</th><th scope="col">Type</th>
                <th scope="col" class="number">Size</th><th scope="col" class="number">Age</th>
                <th scope="col" class="number">Left</th><th scope="col" class="number">Hits</th>
                <th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
              <tbody>${objects.map((object) => this.#object(object))}</tbody></table></div>`
          : html`<div class="empty-page"><p>${this.prefix ? "No object of that path." : "The cache is empty."}</p>
              <p class="note">Objects appear as answers that may be stored come from an origin.</p></div>`}`;
  }

  #passed() {
    return (performance.now() - this.askedAt) / 1000;
  }

  #left(variants) {
    const left = Math.max(...variants.map((variant) => variant.expires_in_s)) - this.#passed();
    return left > 0 ? seconds(left) : html`<span class="gone">expired</span>`;
  }

  #object(object) {
    const { path, query, variants, distribution } = object;
    const name = query ? `${path}?${query}` : path;
    const key = `${distribution} ${name}`;
    const isOpen = this.open.has(key);
    const sum = (field) => variants.reduce((total, variant) => total + (variant[field] ?? 0), 0);
    const toggle = () => {
      if (!this.open.delete(key)) this.open.add(key);
      this.draw();
    };
    return html`
      <tr>
        <th scope="row"><button type="button" class="expand code" aria-expanded=${isOpen} @click=${toggle}>${name}</button></th>
        <td>${variants.length > 1 ? variants.length : html`<span class="note">1</span>`}</td>
        <td>${[...new Set(variants.map((variant) => variant.content_type?.split(";")[0]))].join(", ")}</td>
        <td class="number">${bytes(sum("bytes"))}</td>
        <td class="number">${seconds(Math.min(...variants.map((variant) => variant.age_s)) + this.#passed())}</td>
        <td class="number">${this.#left(variants)}</td>
        <td class="number">${sum("hits").toLocaleString("en")}</td>
        <td class="number"><button type="button" aria-label="Invalidate ${name}"
          @click=${() => this.#drop(distribution, [name])}>Invalidate</button></td>
      </tr>
      ${isOpen ? html`<tr class="variants"><td colspan="8">${this.#variants(variants)}</td></tr>` : nothing}`;
  }

  /** One column a variant, so that one sees in what they differ. */
  #variants(variants) {
    const names = [...new Set(variants.flatMap((variant) => variant.key.map(({ part: name }) => name)))];
    const differs = (name) => new Set(variants.map((variant) => keyValue(variant, name))).size > 1;
    const row = (label, of, isDifferent) => html`<tr data-differs=${Boolean(isDifferent)}>
      <th scope="row">${label}</th>${variants.map((variant) => html`<td>${of(variant)}</td>`)}</tr>`;
    return html`<table class="side-by-side">
      <caption class="visually-hidden">Variants</caption>
      <tbody>
        ${names.map((name) => row(name, (variant) => html`<span class="code">${keyValue(variant, name)}</span>`, differs(name)))}
        ${row("status", (variant) => variant.status)}
        ${row("size", (variant) => bytes(variant.bytes))}
        ${row("stored", (variant) => new Date(variant.stored).toLocaleTimeString("en-GB"))}
        ${row("age", (variant) => seconds(variant.age_s + this.#passed()))}
        ${row("left", (variant) => this.#left([variant]))}
        ${row("hits", (variant) => (variant.hits ?? 0).toLocaleString("en"))}
        ${row("cache", (variant) => variant.layer)}
        ${row("", (variant) => html`<button type="button"
          @click=${() => this.act(() => del(`/api/cache/${part(variant.id)}`).then(() => "Dropped."))}>Drop this one</button>`)}
      </tbody></table>`;
  }

  #drop(distribution, paths) {
    return this.act(async () => {
      const { dropped } = await post("/api/invalidations", { distribution, paths });
      return `${count(dropped, "object")} dropped.`;
    });
  }

  #invalidate(event) {
    event.preventDefault();
    const paths = new FormData(event.target).get("paths").trim().split(/\s+/);
    const names = [...new Set((this.objects ?? []).map(({ distribution }) => distribution))];
    this.#drop(names.length === 1 ? names[0] : "", paths);
  }
}

const keyValue = (variant, name) => variant.key.find(({ part: each }) => each === name)?.value ?? "–";
