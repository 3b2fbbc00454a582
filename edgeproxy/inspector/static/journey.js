// The way of a request: the map of its stations, the waterfall of its times, one station in detail.

import { differences, isKind } from "./diff.js";
import { ms, seconds } from "./format.js";
import { differenceTable, messageTable } from "./message.js";
import { isBroken, kindOf, place, shares } from "./stations.js";
import { html, nothing } from "./vendor/lit-html.js";

const sub = (station) => {
  const run = station.steps.find((step) => step.function)?.function;
  if (run) return run.name;
  const decision = station.steps.find((step) => step.decision)?.decision;
  if (station.key === "behavior") return decision?.path_pattern ?? "";
  if (station.key === "cache") return decision?.kind ?? "";
  if (station.key === "origin") return decision?.origin ?? "";
  if (station.key === "viewer-back") return String(station.after?.status ?? "");
  return "";
};

/** Stations as buttons on a line that is folded at the farthest point the request came to. */
export function journeyMap({ stations, turn, isFolded }, chosen, select) {
  const turned = stations.find(({ key }) => key === turn)?.column ?? stations.length;
  const columns = isFolded ? 6 : stations.length;
  return html`<div class="map" data-folded=${isFolded} .style=${`--columns: ${columns}`}>
    <svg class="rails" viewBox="0 0 ${columns * 100} 40" preserveAspectRatio="none" aria-hidden="true">
      <path class="rail" d=${rail(columns, isFolded)} />
      <path class="rail passed" d=${rail(turned, isFolded)} />
    </svg>
    <ol aria-label="Stations">
    ${stations.map(
      (station) => html`<li data-back=${station.isBack} data-key=${station.key}
          .style=${`grid-column: ${station.column}; grid-row: ${rowOf(station, isFolded)}`}>
        <button type="button" class="station" data-key=${station.key} data-state=${station.state}
          data-kind=${station.steps.some((step) => step.function) ? "function" : station.key === "origin" ? "origin" : "edge"}
          aria-pressed=${station.key === chosen} title=${station.why ?? nothing}
          @click=${() => select(station.key)}>
          <span class="dot" aria-hidden="true"></span>
          <span class="label">${station.label.split("-").map((word, index) => (index ? html`-<wbr>${word}` : word))}</span>
          <span class="sub">${station.state === "skipped" ? html`<span class="visually-hidden">skipped</span>` : sub(station)}</span>
          <span class="ms">${station.ms == null ? "" : ms(station.ms)}</span>
        </button>
      </li>`,
    )}
    </ol>
  </div>`;
}

/** To a column and, folded, back again; a column is 100 wide and its station in the middle. */
function rail(column, isFolded) {
  const x = column * 100 - 50;
  return isFolded ? `M50 2 H${x - 8} Q${x} 2 ${x} 10 V30 Q${x} 38 ${x - 8} 38 H50` : `M50 2 H${x}`;
}

const rowOf = (station, isFolded) =>
  !isFolded ? 1 : station.key === "origin" ? "1 / span 2" : station.isBack ? 2 : 1;

const depth = (step, steps) =>
  steps.filter(
    (other) => other !== step && other.started_ms <= step.started_ms &&
      other.started_ms + other.duration_ms >= step.started_ms + step.duration_ms &&
      other.duration_ms > step.duration_ms,
  ).length;

/** The function that ran; the origin that was asked; the page that stands in for an error. */
const about = (step, steps) =>
  step.function?.name ?? step.decision?.origin ?? (step.name === "behavior" && step !== steps[0] ? step.before?.uri : "");

/** An environment that was being made already cost this request less than its whole init. */
const waitedForInit = ({ function: run, duration_ms: duration }) =>
  run?.init_ms != null && run.init_ms <= duration ? run.init_ms : 0;

/** Bars of the steps on one scale of time. */
export function waterfall(exchange, { stations }, chosen, select) {
  const { steps } = exchange;
  const total = Math.max(exchange.duration_ms, ...steps.map((step) => step.started_ms + step.duration_ms), 0.001);
  const ended = Math.max(0, ...steps.map((step) => step.started_ms + step.duration_ms));
  const at = (value) => `${((100 * value) / total).toFixed(2)}%`;
  const stationOf = (step) => stations.find((station) => station.steps.includes(step));
  const share = shares(exchange);
  const cold = steps.reduce((sum, step) => sum + waitedForInit(step), 0);
  return html`<section class="waterfall" aria-label="Times">
    <p class="legend">
      ${["edge", "function", "origin"].filter((kind) => share[kind] > 0).map(
        (kind) => html`<span data-kind=${kind}><i aria-hidden="true"></i>${kind} <b>${ms(share[kind])}</b></span>`,
      )}
      ${cold ? html`<span data-kind="cold"><i aria-hidden="true"></i>cold start <b>${ms(cold)}</b></span>` : nothing}
      <span class="total">total <b>${ms(exchange.duration_ms)}</b></span>
    </p>
    <ol>
      ${steps.map((step) => {
        const station = stationOf(step);
        const init = waitedForInit(step);
        return html`<li>
          <button type="button" class="span" data-kind=${kindOf(step)} data-broken=${isBroken(step)}
            aria-pressed=${station?.key === chosen} @click=${() => select(station.key)}>
            <span class="name" .style=${`--depth: ${depth(step, steps)}`}>${step.name} <em>${about(step, steps)}</em></span>
            <span class="track" aria-hidden="true"><span class="bar" .style=${`left: ${at(step.started_ms)}; width: ${at(step.duration_ms)}`}>
              ${init ? html`<span class="init" .style=${`width: ${(100 * init) / step.duration_ms}%`}></span>` : nothing}
            </span></span>
            <span class="ms">${ms(step.duration_ms)}</span>
          </button></li>`;
      })}
      ${exchange.duration_ms - ended > 0.05
        ? html`<li><div class="span" data-kind="edge">
            <span class="name">answer sent</span>
            <span class="track" aria-hidden="true"><span class="bar" .style=${`left: ${at(ended)}; width: ${at(exchange.duration_ms - ended)}`}></span></span>
            <span class="ms">${ms(exchange.duration_ms - ended)}</span></div></li>`
        : nothing}
    </ol>
  </section>`;
}

/** Everything that is known of one station. */
export function stationPanel(station, exchange) {
  const { key, label, steps } = station;
  const title = html`<h2>${label}${key === "viewer" ? " asks" : key === "viewer-back" ? " is answered" : key === "cache-back" ? ", on the way back" : ""}</h2>`;
  if (station.state === "skipped") {
    return html`<section class="stop" aria-label=${label}>${title}<p class="note">Skipped. ${station.why}</p></section>`;
  }
  if (key === "viewer") {
    return html`<section class="stop" aria-label=${label}>${title}${viewerFacts(exchange)}${messageTable(station.after)}</section>`;
  }
  // Two origins of a group were asked; the functions ran once more for the page of an error.
  const isRepeated = key !== "cache" && key !== "behavior" && steps.filter(({ name }) => name === key).length > 1;
  const isPlain = !steps.length;
  return html`<section class="stop" aria-label=${label}>
    ${title}
    ${steps.map((step) => html`${stepFacts(step, steps.length > 1)}
      ${isRepeated ? changes({ ...step, key, steps: [step] }) : nothing}`)}
    ${key === "origin" && exchange.asked ? originTimes(exchange.asked) : nothing}
    ${station.from && !isRepeated ? edgeChanges(station) : nothing}
    ${key === "behavior" || isRepeated
      ? nothing
      : key === "viewer-back"
        ? station.from ? nothing : messageTable(station.after)
        : key === "cache"
          ? html`<h3>What was looked for</h3>${messageTable(station.before)}`
          : isPlain && !station.before
            ? html`<h3>What was answered</h3>${messageTable(station.after)}`
            : changes(station)}
    ${steps.map(({ function: run }) => (run?.log.length ? log(run.log) : nothing))}
  </section>`;
}

function viewerFacts({ viewer }) {
  if (!viewer) return nothing;
  const shown = Object.entries(viewer).filter(([, value]) => value != null && value !== "");
  return html`<dl class="facts">
    ${shown.map(([name, value]) => html`<div><dt>${name.replaceAll("_", " ")}</dt><dd>${String(value)}</dd></div>`)}
  </dl>`;
}

/** How long the origin took that was asked last. */
function originTimes(asked) {
  const times = [["looking up its name", asked.look_up_ms], ["connecting", asked.connect_ms], ["first byte", asked.first_byte_ms]];
  return html`<dl class="facts">
    <div><dt>asked</dt><dd>${asked.domain_name}</dd></div>
    ${times.filter(([, value]) => value != null).map(([name, value]) => html`<div><dt>${name}</dt><dd>${ms(value)}</dd></div>`)}
  </dl>`;
}

/** The edge's own changes between two stations: policies, CloudFront's headers. */
function edgeChanges({ from, before, after, key }) {
  const to = key === "viewer-back" ? after : before;
  const heading = key === "viewer-back" ? "What the edge put on the answer" : "What the edge changed on the way here";
  const isChanged = differences(from, to).some(({ kind }) => kind !== "same");
  return isChanged ? html`<h3>${heading}</h3>${differenceTable(from, to)}` : nothing;
}

function changes({ before, after, key, steps }) {
  if (isKind(before, after)) {
    const by = steps.find((step) => step.function)?.function.name;
    return html`<h3>${by ? `What ${by} changed` : "What was changed"}</h3>${differenceTable(before, after)}`;
  }
  if (!before && !after) return nothing;
  return html`<div class="both">
    <section><h3>${key === "origin" ? "Sent to the origin" : "Before"}</h3>${messageTable(before)}</section>
    <section><h3>${key === "origin" ? "The origin's answer" : "After"}</h3>${messageTable(after)}</section>
  </div>`;
}

const PLAIN = new Set(["kind", "why", "key", "outcome"]);
const NAMES = { ttl_s: "TTL", ttl_why: "decided by", age_s: "age", target_origin_id: "origin" };

function stepFacts(step, isOneOfMany) {
  const { decision, function: run } = step;
  const facts = Object.entries(decision ?? {}).filter(([name, value]) => !PLAIN.has(name) && value != null && typeof value !== "object");
  return html`
    <div class="step" data-broken=${isBroken(step)}>
      ${isOneOfMany ? html`<h3>${step.name}</h3>` : nothing}
      ${decision ? html`<p class="verdict"><strong>${decision.kind}</strong> ${decision.why}</p>` : nothing}
      <dl class="facts">
        <div><dt>took</dt><dd>${ms(step.duration_ms)}</dd></div>
        ${facts.map(([name, value]) => html`<div><dt>${NAMES[name] ?? name.replaceAll("_", " ")}</dt>
          <dd>${name.endsWith("_s") ? seconds(value) : value}</dd></div>`)}
        ${run ? runFacts(run) : nothing}
      </dl>
      ${run ? runProblems(run) : nothing}
    </div>`;
}

export const log = (lines) => html`<h3>Log</h3><pre class="log" tabindex="0" aria-label="Log">${lines.map(
  (line) => html`<span data-stream=${line.stream}>${plain(line.message)}\n</span>`)}</pre>`;

/** Lambda keeps the lines of one message together with carriage returns. */
export const plain = (message) => message.replace(/\s+$/, "").replace(/\r\n?/g, "\n");

function runFacts(run) {
  const rows = [
    ["function", run.version ? `${run.name}:${run.version}` : run.name],
    ["ran", ms(run.duration_ms)],
    ["cold start", run.init_ms == null ? "no" : ms(run.init_ms)],
    ["memory", run.memory_mb ? `${run.memory_mb} MB` : null],
    ["error", run.error],
    ["request ID", run.request_id],
  ];
  return rows.filter(([, value]) => value).map(
    ([name, value]) => html`<div data-name=${name}><dt>${name}</dt><dd>${value}</dd></div>`,
  );
}

export function finding({ rule, message, meaning, remedy }) {
  return html`<div class="finding" role="group" aria-label="Rule ${rule}">
    <h3><code>${rule}</code> broken</h3>
    <p class="words">${message}</p>
    ${meaning ? html`<p><b>The rule.</b> ${meaning}</p>` : nothing}
    ${remedy ? html`<p><b>What to do.</b> ${remedy}</p>` : nothing}
  </div>`;
}

export function runProblems(run) {
  const document = run.error_document;
  const where = run.error ? place(run) : null;
  const trace = document?.stackTrace ?? document?.trace;
  return html`
    ${run.findings.map(finding)}
    ${document
      ? html`<div class="finding" role="group" aria-label="Error">
          <h3>${document.errorType ?? run.error}${where
            ? html` <span class="place">${where.file}:${where.line}</span>` : nothing}</h3>
          <p class="words">${document.errorMessage}</p>
          ${trace?.length
            ? html`<pre class="trace" tabindex="0">${[].concat(trace).join("\n")}</pre>` : nothing}
        </div>`
      : nothing}`;
}
