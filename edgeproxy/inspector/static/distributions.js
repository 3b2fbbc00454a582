// The distributions as the edge serves them.

import { get } from "./api.js";

/** The definition may be reloaded meanwhile. */
const FRESH_MS = 5000;

let asked = null;
let askedAt = 0;

export const distributions = (isFresh = false) => {
  if (isFresh || !asked || performance.now() - askedAt > FRESH_MS) {
    askedAt = performance.now();
    asked = get("/api/distributions").then(
      (answer) => answer.distributions,
      (error) => {
        asked = null;
        throw error;
      },
    );
  }
  return asked;
};

/** Names by event type of the functions on the exchange's behavior; null when not known. */
export async function behaviorFunctions(exchange) {
  const pattern = exchange.steps.find((step) => step.name === "behavior")?.decision?.path_pattern;
  if (!pattern) return null;
  const all = await distributions().catch(() => []);
  const behavior = all
    .find((each) => each.logical_id === exchange.name)
    ?.behaviors.find((each) => each.path_pattern === pattern);
  return behavior
    ? Object.fromEntries(behavior.functions.map(({ event_type, name }) => [event_type, name]))
    : null;
}
