// Numbers and times as text. Pure.

/** Milliseconds: `0.42 ms`, `17 ms`, `1.25 s`. */
export function ms(value) {
  if (value == null) return "–";
  if (value < 10) return `${value.toFixed(value < 1 ? 2 : 1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  return `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
}

/** Bytes in powers of ten, as browsers' dev tools show them. */
export function bytes(value) {
  if (value == null) return "–";
  if (value < 1000) return `${value} B`;
  for (const unit of ["kB", "MB", "GB"]) {
    value /= 1000;
    if (value < 1000) return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
  }
  return `${value.toFixed(0)} TB`;
}

/** Seconds in the two largest units: `45 s`, `3 min 5 s`, `1 d 2 h`. */
export function seconds(value) {
  if (value == null) return "–";
  const sign = value < 0 ? "−" : "";
  let rest = Math.round(Math.abs(value));
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count || (unit === "s" && !parts.length)) parts.push(`${count} ${unit}`);
    if (parts.length === 2) break;
  }
  return sign + parts.join(" ");
}

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});

/** The time of day of an ISO time, in the reader's zone. */
export const timeOfDay = (iso) => clock.format(new Date(iso));

export const count = (number, noun, plural = `${noun}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;

export const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");

/** What a result type is to people: one of the few colours of the page. */
export function tone(result, status) {
  if (/Error|Exceeded/.test(result) || status >= 500) return "error";
  if (result === "Hit") return "hit";
  if (/RefreshHit|OriginShieldHit/.test(result)) return "refresh";
  if (/Generated|Redirect/.test(result)) return "function";
  if (status >= 400) return "error";
  return result === "Miss" ? "miss" : "plain";
}

/** Result types are long; a list has room for less. */
export const shortResult = (result) =>
  ({
    LambdaGeneratedResponse: "Generated",
    FunctionGeneratedResponse: "Generated",
    LambdaExecutionError: "λ error",
    LambdaValidationError: "λ invalid",
    LambdaLimitExceeded: "λ limit",
    FunctionExecutionError: "ƒ error",
    FunctionThrottledError: "ƒ throttled",
    CapacityExceeded: "Capacity",
  })[result] ?? result;
