// require('querystring') (CFF-MOD-02).
(function (load) {
  "use strict";
  const { decodeUtf8, encodeUtf8 } = load("text");

  // Percent-decoding that never throws: bytes that are not UTF-8 become U+FFFD.
  function unescape(text) {
    const source = String(text);
    if (!source.includes("%")) return source;
    const bytes = [];
    for (let i = 0; i < source.length; i++) {
      const pair = source.slice(i + 1, i + 3);
      if (source[i] === "%" && /^[0-9a-f]{2}$/i.test(pair)) {
        bytes.push(parseInt(pair, 16));
        i += 2;
      } else {
        const end = source.codePointAt(i) > 0xffff ? i + 2 : i + 1;
        for (const byte of encodeUtf8(source.slice(i, end))) bytes.push(byte);
        i = end - 1;
      }
    }
    return decodeUtf8(bytes, false);
  }
  const escape = (text) => encodeURIComponent(String(text));

  function parse(text, separator, equals, options) {
    const result = {};
    if (typeof text !== "string" || text === "") return result;
    const decode = (options && options.decodeURIComponent) || querystring.unescape;
    const limit = options && options.maxKeys !== undefined ? options.maxKeys : 1000;
    const sign = equals || "=";
    let pairs = text.split(separator || "&");
    if (limit > 0) pairs = pairs.slice(0, limit);
    for (const pair of pairs) {
      if (pair === "") continue;
      const at = pair.indexOf(sign);
      const read = (part) => decode(part.split("+").join(" "));
      const name = read(at < 0 ? pair : pair.slice(0, at));
      const value = at < 0 ? "" : read(pair.slice(at + sign.length));
      if (!Object.prototype.hasOwnProperty.call(result, name)) {
        Object.defineProperty(result, name, { value, writable: true, enumerable: true, configurable: true });
      } else if (Array.isArray(result[name])) result[name].push(value);
      else result[name] = [result[name], value];
    }
    return result;
  }
  function stringify(object, separator, equals, options) {
    if (object === null || typeof object !== "object") return "";
    const encode = (options && options.encodeURIComponent) || querystring.escape;
    const text = (value) => (["string", "number", "boolean"].includes(typeof value) ? encode(String(value)) : "");
    const pairs = [];
    for (const name of Object.keys(object)) {
      const values = Array.isArray(object[name]) ? object[name] : [object[name]];
      for (const value of values) pairs.push(encode(name) + (equals || "=") + text(value));
    }
    return pairs.join(separator || "&");
  }
  const querystring = { parse, decode: parse, stringify, encode: stringify, escape, unescape };
  return querystring;
})
