// The page: which view is shown, the keys that work everywhere, and the top bar.

import { drawBar, watchEdge } from "./bar.js";
import { get } from "./api.js";
import { Exchanges } from "./exchanges.js";
import { showHelp } from "./help.js";
import { RequestsView } from "./requests.js";

const main = document.getElementById("view");
const said = document.getElementById("said");

/** What the views share. */
const context = {
  endpoints: null,
  distributions: [],
  say: (text) => {
    said.textContent = text;
    clearTimeout(context.silence);
    context.silence = setTimeout(() => (said.textContent = ""), 4000);
  },
};

const exchanges = new Exchanges();
const requestsRoot = main.appendChild(document.createElement("div"));
const requests = new RequestsView(requestsRoot, exchanges, context);

/** Views that are loaded when they are first looked at. */
const others = new Map();
const loaders = {
  cache: () => import("./cache.js"),
  functions: () => import("./functions.js"),
  distribution: () => import("./distribution.js"),
  charts: () => import("./charts.js"),
  viewers: () => import("./viewers.js"),
  clock: () => import("./clock.js"),
  experiments: () => import("./experiments.js"),
};

let current = null;

/** A part of the address; one that is badly encoded stands for itself. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function route() {
  const [name = "", ...rest] = location.hash.replace(/^#\//, "").split("/").map(decoded);
  const view = name in loaders ? name : "requests";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${view}`) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
  }
  document.title = `${view[0].toUpperCase()}${view.slice(1)} · edgeproxy inspector`;
  requestsRoot.hidden = view !== "requests";
  let shown = null;
  if (view === "requests") {
    if (name === "exchange") requests.open(rest[0], rest[1]);
    else requests.open(null);
  } else {
    if (!others.has(view)) {
      const root = main.appendChild(document.createElement("div"));
      root.className = `page ${view}`;
      others.set(view, { root, view: null });
      const { View } = await loaders[view]();
      others.get(view).view = new View(root, exchanges, context);
    }
    shown = others.get(view);
  }
  // A slow module may come after its reader has gone on.
  if (location.hash.replace(/^#\//, "").split("/")[0] !== name) return;
  if (current && current !== shown) {
    current.view?.leave?.();
    current.root.hidden = true;
  }
  current = shown;
  if (shown) {
    shown.root.hidden = false;
    shown.view?.enter?.(...rest);
  }
}

const isTyping = (target) => target.closest?.("input:not([type=checkbox],[type=range]), textarea, select");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") {
      if (event.target.id === "filter") requests.setFilter("");
      event.target.blur();
      if (!requestsRoot.hidden) requests.list.root.focus();
      event.preventDefault();
    } else if (event.key === "ArrowDown" && event.target.id === "filter") {
      requests.list.root.focus();
      event.preventDefault();
    }
    return;
  }
  const numbered = document.querySelectorAll("nav a")[Number(event.key) - 1];
  if (event.key === "?") showHelp();
  else if (numbered) location.hash = numbered.hash;
  else if (requestsRoot.hidden || !requests.key(event)) return;
  event.preventDefault();
});

addEventListener("hashchange", route);
drawBar(exchanges, context);
route();
exchanges.start();
get("/api/endpoints").then((endpoints) => {
  context.endpoints = endpoints;
  exchanges.dispatchEvent(new CustomEvent("change", { detail: { added: [] } }));
}, () => {});
watchEdge(exchanges, context);
