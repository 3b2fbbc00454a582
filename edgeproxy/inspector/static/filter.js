// The list's filter: `status:5xx hit:miss fn:ab -path:/api free text`. Pure.

const number = (value, of) => {
  const match = /^(<=|>=|<|>|=)?(\d+(?:\.\d+)?)$/.exec(value);
  if (!match) return null;
  const limit = Number(match[2]);
  const compare = {
    "<": (x) => x < limit, ">": (x) => x > limit,
    "<=": (x) => x <= limit, ">=": (x) => x >= limit,
  }[match[1]] ?? ((x) => x === limit);
  return (exchange) => of(exchange) != null && compare(of(exchange));
};

const text = (of) => (value) => (exchange) => of(exchange).toLowerCase().includes(value);

const keys = {
  method: (value) => (exchange) => exchange.method.toLowerCase() === value,
  status(value) {
    if (/^[1-5]xx$/.test(value)) {
      return (exchange) => String(exchange.status)[0] === value[0];
    }
    return number(value, (exchange) => exchange.status);
  },
  hit: (value) => (exchange) =>
    exchange.result_type.toLowerCase().startsWith(value) ||
    exchange.detailed_result_type.toLowerCase().startsWith(value),
  fn: (value) => (exchange) =>
    exchange.functions.some(
      (run) => run.name.toLowerCase().includes(value) || (value === "error" && run.error),
    ),
  path: text((exchange) => exchange.path),
  query: text((exchange) => exchange.query),
  host: text((exchange) => exchange.host),
  door: text((exchange) => exchange.door),
  name: text((exchange) => exchange.name),
  id: text((exchange) => exchange.id),
  time: (value) => number(value, (exchange) => exchange.duration_ms),
  size: (value) => number(value, (exchange) => exchange.bytes),
};
keys.result = keys.hit;

export const filterKeys = Object.keys(keys);

const haystack = (exchange) =>
  [exchange.method, exchange.host, exchange.path, exchange.query, exchange.status,
    exchange.result_type, exchange.name, ...exchange.functions.map((run) => run.name)]
    .join(" ").toLowerCase();

/** `{test, problem}`: what an exchange must satisfy, and what is wrong with the text, if anything. */
export function parseFilter(source) {
  const tests = [];
  for (const word of source.toLowerCase().match(/\S+/g) ?? []) {
    const [, minus, key, value] = /^(-?)(?:([a-z]+):)?(.*)$/s.exec(word);
    let test;
    if (key === undefined || word.includes("://")) {
      const sought = minus ? word.slice(1) : word;
      test = (exchange) => haystack(exchange).includes(sought);
    } else if (!(key in keys)) {
      return { test: () => true, problem: `There is no key “${key}”. Keys: ${filterKeys.join(", ")}.` };
    } else if (value === "") {
      continue; // still being typed
    } else {
      test = keys[key](value);
      if (!test) {
        return { test: () => true, problem: `“${value}” is no number; write ${key}:200 or ${key}:>100.` };
      }
    }
    tests.push(minus ? (exchange) => !test(exchange) : test);
  }
  return { test: (exchange) => tests.every((each) => each(exchange)), problem: "" };
}
