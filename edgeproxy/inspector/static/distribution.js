// The distribution drawn: behaviors in order, their functions and policies, the origins behind them.

import { post } from "./api.js";
import { distributions } from "./distributions.js";
import { Page } from "./page.js";
import { html, nothing, svg } from "./vendor/lit-html.js";

const SHORT = {
  "viewer-request": "viewer-req", "viewer-response": "viewer-res",
  "origin-request": "origin-req", "origin-response": "origin-res",
};

export class View extends Page {
  all = null;
  lines = [];
  answer = null;
  url = "";
  method = "GET";

  constructor(root, exchanges, context) {
    super(root, exchanges, context, 10);
    new ResizeObserver(() => this.#measure()).observe(root);
  }

  async load() {
    this.all = await distributions(true);
    this.chosen ??= this.all[0]?.logical_id;
  }

  draw() {
    super.draw();
    this.#measure();
  }

  #distribution() {
    return this.all?.find((each) => each.logical_id === this.chosen) ?? this.all?.[0];
  }

  body() {
    const distribution = this.#distribution();
    if (!distribution) {
      return this.all ? html`<div class="empty-page"><p>No distribution is served.</p></div>` : nothing;
    }
    return html`
      <header class="head-line">
        <h1>${distribution.logical_id}</h1>
        <p class="note">${distribution.id} · ${distribution.domain_name}${distribution.aliases?.length ? ` · ${distribution.aliases.join(", ")}` : ""}
          ${distribution.enabled === false ? html`<strong>disabled</strong>` : nothing}</p>
        ${this.all.length > 1
          ? html`<label>Distribution <select @change=${(event) => { this.chosen = event.target.value; this.answer = null; this.draw(); }}>
              ${this.all.map(({ logical_id: id }) => html`<option ?selected=${id === distribution.logical_id}>${id}</option>`)}
            </select></label>` : nothing}
        <a href=${distribution.url} target="_blank" rel="noreferrer">${distribution.url}</a>
      </header>
      <form class="form-line" @submit=${(event) => this.#ask(event)}>
        <label class="visually-hidden" for="method">Method</label>
        <select id="method" name="method">${["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"].map((each) => html`<option>${each}</option>`)}</select>
        <label class="visually-hidden" for="url">URL or path</label>
        <input id="url" name="url" class="code wide" placeholder="/path?query or a whole URL" spellcheck="false" autocomplete="off"
          @input=${(event) => this.#soon(event)} />
        <button>Show its way</button>
      </form>
      ${this.answer ? this.#told() : nothing}
      ${this.#picture(distribution)}
      ${distribution.error_pages?.length ? this.#errorPages(distribution.error_pages) : nothing}`;
  }

  #picture(distribution) {
    const { behaviors, origins, origin_groups: groups = [] } = distribution;
    const lit = this.#lit();
    const members = (id) => groups.find((group) => group.id === id)?.members ?? [id];
    const isReached = (origin) => lit && members(lit.origin).includes(origin.id);
    return html`<div class="picture">
      <svg class="wires" aria-hidden="true">${this.lines.map(
        ({ d, on, dashed }) => svg`<path d=${d} data-on=${on} data-dashed=${dashed} />`)}</svg>
      <div class="column viewers"><div class="card" data-node="viewer" data-on=${Boolean(lit)}><strong>viewer</strong></div></div>
      <ol class="column behaviors" aria-label="Behaviors, in order">
        ${behaviors.map((behavior, index) => {
          const isOn = lit?.pattern === behavior.path_pattern;
          return html`<li class="card" data-node="behavior" data-index=${index} data-on=${isOn} data-off=${Boolean(lit) && !isOn}>
            <p class="card-head"><span class="order">${behavior.default ? "default" : index + 1}</span>
              <strong class="code">${behavior.path_pattern}</strong>
              ${behavior.functions.map(({ event_type: type, name, kind }) => html`<span class="tag"
                title="${type} (${kind === "cloudfront" ? "CloudFront Function" : "Lambda@Edge"})"><i>${SHORT[type] ?? type}</i> ${name}</span>`)}
              <span class="to">to ${behavior.origin}</span></p>
            <p class="note policies">${policies(behavior).join(" · ")}</p>
          </li>`;
        })}
      </ol>
      <ul class="column origins" aria-label="Origins">
        ${origins.map((origin) => html`<li class="card" data-node="origin" data-id=${origin.id}
            data-on=${Boolean(isReached(origin))} data-off=${Boolean(lit) && !isReached(origin)}>
          <p class="card-head"><strong>${origin.id}</strong>${origin.shield ? html` <span class="tag">Origin Shield</span>` : nothing}</p>
          <p class="note code">${origin.domain_name}</p>
          ${origin.mapped_to ? html`<p class="note code">→ ${origin.mapped_to}</p>` : nothing}
          ${groups.filter((group) => group.members.includes(origin.id)).map(
            (group) => html`<p class="note">${group.id}: ${group.members[0] === origin.id ? "primary" : `for ${group.status_codes.join(", ")}`}</p>`)}
        </li>`)}
      </ul>
    </div>`;
  }

  #lit() {
    const { answer } = this;
    if (!answer || answer.problem || answer.distribution.logical_id !== this.#distribution().logical_id) return null;
    return {
      pattern: answer.behavior.path_pattern,
      origin: answer.admitted ? answer.behavior.target_origin_id : null,
    };
  }

  /** The wires follow the cards, wherever these have come to lie. */
  #measure() {
    const picture = this.root.querySelector(".picture");
    const distribution = this.#distribution();
    if (!picture || !distribution || this.root.hidden) return;
    const box = picture.getBoundingClientRect();
    const at = (node, side) => {
      const { left, right, top, height } = node.getBoundingClientRect();
      return [(side === "right" ? right : left) - box.left, top + height / 2 - box.top];
    };
    const curve = ([x1, y1], [x2, y2]) => {
      const bend = (x2 - x1) / 2;
      return `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    };
    const viewer = picture.querySelector("[data-node=viewer]");
    const lit = this.#lit();
    const lines = [];
    for (const card of picture.querySelectorAll("[data-node=behavior]")) {
      const behavior = distribution.behaviors[card.dataset.index];
      const on = lit?.pattern === behavior.path_pattern;
      lines.push({ d: curve(at(viewer, "right"), at(card, "left")), on });
      const group = distribution.origin_groups?.find(({ id }) => id === behavior.origin);
      for (const [index, id] of (group?.members ?? [behavior.origin]).entries()) {
        const origin = picture.querySelector(`[data-node=origin][data-id="${CSS.escape(id)}"]`);
        if (origin) {
          lines.push({ d: curve(at(card, "right"), at(origin, "left")), on: on && Boolean(lit.origin), dashed: index > 0 });
        }
      }
    }
    lines.sort((a, b) => a.on - b.on);
    if (JSON.stringify(lines) === JSON.stringify(this.lines)) return;
    this.lines = lines;
    super.draw();
  }

  #soon(event) {
    const { form } = event.target;
    clearTimeout(this.typing);
    this.typing = setTimeout(() => form.requestSubmit(), 250);
  }

  async #ask(event) {
    event.preventDefault();
    const fields = new FormData(event.target);
    const url = fields.get("url").trim();
    if (!url) this.answer = null;
    else {
      try {
        this.answer = await post("/api/explain", { url, method: fields.get("method") });
        this.chosen = this.answer.distribution.logical_id;
      } catch (error) {
        this.answer = { problem: error.message };
      }
    }
    this.draw();
    this.root.querySelector('.behaviors [data-on="true"]')?.scrollIntoView({ block: "nearest" });
  }

  #told() {
    const { problem, refused, behavior, functions, cache, forwarded } = this.answer;
    if (problem) return html`<p class="problem" role="alert">${problem}</p>`;
    const row = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
    return html`<section class="told" aria-label="Its way" aria-live="polite">
      <dl class="facts">
        ${row("behavior", behavior.path_pattern)}
        ${refused
          ? row("refused", `${refused.status}: ${refused.why}`)
          : html`
            ${row("functions", functions.map(({ event_type: type, name }) => `${type} ${name}`).join(", ") || "none")}
            ${row("cache key", cache.cacheable ? cache.key.map(({ part, value }) => `${part} ${value}`).join(" · ") : cache.why)}
            ${cache.now ? row("in the cache now", `${cache.now.lookup}: ${cache.now.why}`) : nothing}
            ${cache.ttl_source ? row("TTL", cache.ttl_source) : nothing}
            ${forwarded ? row("asks the origin", `${forwarded.method} ${forwarded.target} of ${forwarded.domain_name}`) : nothing}`}
      </dl></section>`;
  }

  #errorPages(pages) {
    return html`<h2>Error pages</h2><div class="scroll-x" tabindex="0" role="region" aria-label="Error pages"><table class="grid narrow"><thead><tr>
      ${Object.keys(pages[0]).map((name) => html`<th scope="col">${name.replaceAll("_", " ")}</th>`)}</tr></thead>
      <tbody>${pages.map((page) => html`<tr>${Object.values(page).map((value) => html`<td>${value ?? "–"}</td>`)}</tr>`)}</tbody></table></div>`;
  }
}

const named = (policy) => (policy && typeof policy === "object" ? policy.name : policy);

function policies(behavior) {
  const found = [
    named(behavior.cache_policy) ?? (behavior.legacy_cache_settings ? "ForwardedValues" : null),
    named(behavior.origin_request_policy),
    named(behavior.response_headers_policy),
    behavior.viewer_protocol_policy === "allow-all" ? null : behavior.viewer_protocol_policy,
    behavior.allowed_methods?.length > 2 ? behavior.allowed_methods.join(" ") : null,
    behavior.compress ? "compresses" : null,
  ];
  return found.filter(Boolean).map((name) => name.replace(/^Managed-/, ""));
}
