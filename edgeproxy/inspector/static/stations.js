// A request's steps, as the stations of its journey. Pure.
//
// The journey goes from the viewer to the origin and back, so it is drawn folded: what the request
// passes lies above what the answer passes at the same place.

/** Key, label, column, whether the answer passes it. The origin is where the way turns. */
const STATIONS = [
  ["viewer", "viewer", 1, false],
  ["behavior", "behavior", 2, false],
  ["viewer-request", "viewer-request", 3, false],
  ["cache", "cache", 4, false],
  ["origin-request", "origin-request", 5, false],
  ["origin", "origin", 6, false],
  ["origin-response", "origin-response", 5, true],
  ["cache-back", "cache", 4, true],
  ["viewer-response", "viewer-response", 3, true],
  ["viewer-back", "viewer", 1, true],
];

/** Steps that have no station of their own. */
const AT = {
  admission: "behavior",
  "continuous deployment": "behavior",
  "field-level encryption": "viewer-request",
  failover: "origin",
  compression: "cache-back",
};

const stationOf = (step) =>
  AT[step.name] ?? (STATIONS.some(([key]) => key === step.name) ? step.name : "cache");

/** Whose time a step took, for the colours: `edge`, `function` or `origin`. */
export const kindOf = (step) =>
  step.function ? "function" : ["origin", "target"].includes(step.name) ? "origin" : "edge";

export const isBroken = (step) =>
  Boolean(step.function?.error || step.function?.findings.length) ||
  ["failed", "throttled", "refused"].includes(step.decision?.kind) ||
  (step.name === "origin" && step.decision && step.decision.kind !== "answered");

/**
 * `{stations, turn, isFolded}`: each station has `key, label, column, isBack, steps, state, why,
 * before, after, from, ms`; `state` is `passed`, `skipped` or `broken`, `from` the message as the
 * station before left it. `turn` is the key of the station at which the way turned.
 * `attached` names the functions of the behavior by event type; null when that is not known.
 */
export function journey(exchange, attached) {
  if (exchange.door !== "distribution") return { ...straight(exchange), isFolded: false };
  const steps = exchange.steps;
  // A second behavior is that of the page which stands in for an error.
  const second = steps.findIndex((step, index) => index > 0 && step.name === "behavior");
  const first = second < 0 ? steps : steps.slice(0, second);
  const at = (key) => steps.filter((step) => stationOf(step) === key);
  const ran = (key) => first.find((step) => step.name === key);

  const answeredBy = first.find((step) => step.decision?.kind === "answered" && step.function);
  const failed = first.find((step) => step.name === "viewer-request" && step.decision?.kind === "failed");
  const refused = ran("admission");
  const cache = ran("cache");
  const turn = refused
    ? "behavior"
    : answeredBy?.name === "viewer-request" || failed
      ? "viewer-request"
      : ran("origin")
        ? "origin"
        : ran("origin-request")
          ? "origin-request"
          : cache ? "cache" : "behavior";

  const turned = STATIONS.find(([key]) => key === turn)[2];
  const stations = STATIONS.map(([key, label, column, isBack]) => {
    const own = key === "cache-back" ? at("cache-back") : at(key);
    const station = { key, label, column, isBack, steps: own, before: null, after: null, from: null };
    const main = own.find((step) => step.name === key) ?? own[0];
    if (main) [station.before, station.after] = [main.before, main.after];
    station.ms = own.length ? own.reduce((sum, step) => sum + step.duration_ms, 0) : null;
    station.state = own.some(isBroken) ? "broken" : own.length ? "passed" : "skipped";
    return station;
  });
  const by = Object.fromEntries(stations.map((station) => [station.key, station]));
  Object.assign(by.viewer, { state: "passed", after: exchange.request });
  Object.assign(by["viewer-back"], { state: "passed", after: exchange.response });
  if (cache && turned > 4) {
    const inner = ran("origin-response")?.after ?? (ran("origin") ?? ran("origin-request"))?.after;
    Object.assign(by["cache-back"], { state: "passed", before: inner ?? null, after: cache.after });
  } else if (cache) {
    Object.assign(by["cache-back"], { state: "passed", before: null, after: cache.after });
  }
  by.cache.after = null;

  // What the edge itself changed on the way from one station to the next.
  let last = null;
  for (const station of stations) {
    const isAnswer = station.isBack || station.key === "origin";
    if (station.state === "skipped") continue;
    const entering = station.before ?? (station.key === "viewer-back" ? station.after : null);
    if (last && entering && "status" in last === "status" in entering) station.from = last;
    if (station.after) last = station.after;
    else if (station.before && !isAnswer) last = station.before;
  }

  for (const station of stations) {
    if (station.state === "skipped") {
      station.why = whySkipped(station, { turn, turned, cache, answeredBy, failed, refused, exchange, attached });
    }
  }
  return { stations, turn, isFolded: true };
}

function whySkipped(station, { turn, turned, cache, answeredBy, failed, refused, exchange, attached }) {
  const isFunction = station.key.includes("-re");
  if (isFunction && attached && !attached[station.key]) {
    return `No function is attached to ${station.key} of this behavior.`;
  }
  if (refused) return `The request was refused: ${refused.decision.why}.`;
  if (station.key === "viewer-response") {
    if (answeredBy?.name === "viewer-request") {
      return "The answer was made at viewer-request; no function runs at viewer-response then.";
    }
    if (exchange.status >= 400) return "No function runs at viewer-response when the status is 400 or more.";
    if (exchange.status === 101) return "The connection left HTTP.";
  } else if (station.column > turned || (station.column === turned && station.isBack)) {
    if (failed) return `${failed.function?.name ?? "The function"} failed at viewer-request.`;
    if (answeredBy) return `${answeredBy.function.name} made the answer at ${answeredBy.name}.`;
    if (turn === "cache") return `The cache answered: ${cache.decision.kind}.`;
  }
  return isFunction ? `No function ran at ${station.key}.` : "The request did not come here.";
}

/** Other doors have no fixed stations: their steps in a line. */
function straight(exchange) {
  const viewer = { key: "viewer", label: "caller", steps: [], state: "passed", before: null, from: null, after: exchange.request, ms: null };
  const back = { ...viewer, key: "viewer-back", after: exchange.response };
  const inner = exchange.steps.map((step, index) => ({
    key: `${step.name}-${index}`, label: step.name, steps: [step], from: null, ms: step.duration_ms,
    state: isBroken(step) ? "broken" : "passed", before: step.before, after: step.after,
  }));
  const stations = [viewer, ...inner, back].map((station, index) => ({ ...station, column: index + 1, isBack: false }));
  return { stations, turn: inner.at(-1)?.key ?? null };
}

/** Time by whom: a step's own time is without that of the steps inside it. */
export function shares(exchange) {
  const total = { edge: 0, function: 0, origin: 0 };
  const { steps } = exchange;
  const end = (step) => step.started_ms + step.duration_ms;
  for (const step of steps) {
    if (kindOf(step) === "edge") continue;
    const isInside = steps.some(
      (other) => other !== step && kindOf(other) !== "edge" &&
        other.started_ms <= step.started_ms && end(other) >= end(step) && other.duration_ms > step.duration_ms,
    );
    if (!isInside) total[kindOf(step)] += step.duration_ms;
  }
  total.edge = Math.max(0, exchange.duration_ms - total.function - total.origin);
  return total;
}

/**
 * Where an error happened in the user's own code: `{file, line}`, or null. Python's traces end at
 * the line that failed, JavaScript's begin with it.
 */
export function place(run) {
  const document = run.error_document;
  const trace = document?.stackTrace ?? document?.trace ?? [];
  const lines = (Array.isArray(trace) ? trace : [trace]).map(String);
  const python = lines.map((line) => /File "([^"]+)", line (\d+)/.exec(line)).filter(Boolean);
  const script = lines
    .map((line) => /(?:\(|at )(?:file:\/\/)?(\/[^():]+):(\d+)(?::\d+)?\)?/.exec(line))
    .filter((match) => match && !match[1].includes("node_modules"));
  const match = python.at(-1) ?? script[0];
  return match ? { file: match[1], line: Number(match[2]) } : null;
}
