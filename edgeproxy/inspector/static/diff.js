// What differs between two messages, part by part. Pure.

const pairs = (text, separator) =>
  text.split(separator).filter(Boolean).map((each) => {
    const [name, ...value] = each.trim().split("=");
    return [name, value.join("=")];
  });

/** A message as `[group, name, value]`: request line or status, query, cookies, headers. */
export function parts(message) {
  const found = [];
  if ("status" in message) {
    found.push(["line", "status", String(message.status)]);
  } else {
    found.push(["line", "method", message.method], ["line", "URI", message.uri]);
    for (const [name, value] of pairs(message.query, "&")) found.push(["query", name, value]);
  }
  for (const [name, value] of message.headers) {
    if (name.toLowerCase() === "cookie") {
      for (const [cookie, content] of pairs(value, ";")) found.push(["cookie", cookie, content]);
    } else {
      found.push(["header", name, value]);
    }
  }
  return found;
}

/** Set-Cookie lines are told apart by their cookie, other lines of one name by their order. */
function keyed(list) {
  const seen = new Map();
  return list.map(([group, name, value]) => {
    let key = `${group} ${name.toLowerCase()}`;
    if (key === "header set-cookie") key += ` ${value.split("=")[0]}`;
    const occurrence = seen.get(key) ?? 0;
    seen.set(key, occurrence + 1);
    return { key: `${key} ${occurrence}`, group, name, value };
  });
}

const ORDER = ["line", "query", "cookie", "header", "body"];

function bodyText(body) {
  if (!body.size) return "";
  if (body.encoding === "base64") return `${body.size} bytes: ${body.preview.slice(0, 80)}`;
  return body.preview;
}

/** Rows `{group, name, before, after, kind}`; kinds are `same`, `changed`, `added`, `removed`. */
export function differences(before, after) {
  const rows = [];
  const news = new Map(keyed(parts(after)).map((each) => [each.key, each]));
  for (const old of keyed(parts(before))) {
    const now = news.get(old.key);
    news.delete(old.key);
    const kind = !now ? "removed" : now.value === old.value ? "same" : "changed";
    rows.push({ group: old.group, name: old.name, before: old.value, after: now?.value ?? null, kind });
  }
  for (const { group, name, value } of news.values()) {
    rows.push({ group, name, before: null, after: value, kind: "added" });
  }
  const [from, to] = [bodyText(before.body), bodyText(after.body)];
  if (from !== to || before.body.size !== after.body.size) {
    const kind = !before.body.size ? "added" : !after.body.size ? "removed" : "changed";
    rows.push({ group: "body", name: "body", kind, lines: lineDifferences(from, to) });
  }
  return rows.sort((a, b) => ORDER.indexOf(a.group) - ORDER.indexOf(b.group));
}

export const isKind = (before, after) => Boolean(before && after) && "status" in before === "status" in after;

/** Lines as `[sign, text]`: what two texts begin and end with is theirs, what is between changed. */
export function lineDifferences(from, to) {
  const [a, b] = [from, to].map((text) => (text === "" ? [] : text.split("\n")));
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const around = 2;
  return [
    ...a.slice(Math.max(0, head - around), head).map((line) => [" ", line]),
    ...a.slice(head, a.length - tail).map((line) => ["−", line]),
    ...b.slice(head, b.length - tail).map((line) => ["+", line]),
    ...a.slice(a.length - tail, a.length - tail + around).map((line) => [" ", line]),
  ];
}
