// The right of the top bar: is the stream live, is the cache on, what time is it, which theme.

import { get, post } from "./api.js";
import { seconds } from "./format.js";
import { html, render } from "./vendor/lit-html.js";

const root = document.getElementById("controls");
const THEMES = { "": "light", light: "dark", dark: "" };
const state = { cache: null, offset_s: 0 };
let redraw = () => {};

export function drawBar(exchanges, context) {
  redraw = () => {
    const theme = document.documentElement.dataset.theme ?? "";
    render(
      html`
        <span class="live" data-state=${exchanges.state}
          title=${exchanges.state === "live" ? "Requests are shown as they end" : "The edge does not answer"}>
          ${{ live: "live", connecting: "connecting", lost: "no connection" }[exchanges.state]}</span>
        ${Math.abs(state.offset_s) >= 0.5
          ? html`<a class="offset" href="#/clock" title="The edge's clock has been moved">
              +${seconds(state.offset_s)}</a>`
          : ""}
        ${state.cache === null
          ? ""
          : html`<button type="button" class="switch" role="switch" aria-checked=${state.cache}
              title="Answer from the cache, or ask the origin each time"
              @click=${() => switchCache(context)}>Cache</button>`}
        <button type="button" class="quiet" @click=${nextTheme}
          title="Theme: ${theme || "the system's"}" aria-label="Theme: ${theme || "the system's"}">
          ${{ "": "◐", light: "○", dark: "●" }[theme]}</button>
        <button type="button" class="quiet" aria-label="Keys and filters (?)" title="Keys and filters (?)"
          @click=${async () => (await import("./help.js")).showHelp()}>?</button>
      `,
      root,
    );
  };
  exchanges.addEventListener("state", redraw);
  redraw();
}

function nextTheme() {
  const next = THEMES[document.documentElement.dataset.theme ?? ""];
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  localStorage.setItem("theme", next);
  redraw();
}

async function switchCache(context) {
  try {
    ({ enabled: state.cache } = await post("/api/cache/switch", { enabled: !state.cache }));
    context.say(state.cache ? "The cache is on." : "The cache is off: every request goes to the origin.");
  } catch (error) {
    context.say(error.message);
  }
  redraw();
}

/** The cache's switch and the clock may also be moved from elsewhere. */
export async function watchEdge() {
  const ask = async () => {
    if (document.hidden) return;
    const [cache, clock] = await Promise.allSettled([get("/api/cache/switch"), get("/api/clock")]);
    if (cache.value) state.cache = cache.value.enabled;
    if (clock.value) {
      state.offset_s = clock.value.offset_s;
    }
    redraw();
  };
  await ask();
  setInterval(ask, 5000);
  document.addEventListener("edge-changed", ask);
}
