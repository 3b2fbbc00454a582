// The byte-string methods of runtime 1.0 (CFF-JS1-06). A byte string has one character per byte.
(function (load) {
  "use strict";
  const { bytesOf, encodeUtf8, decodeUtf8 } = load("text");
  const { fromCharCode } = String;
  const byteString = (bytes) => {
    let text = "";
    for (let i = 0; i < bytes.length; i++) text += fromCharCode(bytes[i] & 255);
    return text;
  };
  const codes = (text) => {
    const out = [];
    for (let i = 0; i < text.length; i++) out.push(text.charCodeAt(i));
    return out;
  };
  const isBytes = (text) => codes(text).every((code) => code < 256);
  function add(target, name, value) {
    Object.defineProperty(target, name, { value, writable: true, enumerable: false, configurable: true });
  }
  function bytes(text) {
    if (!isBytes(text)) throw new TypeError("string is not a byte string");
    return text;
  }
  add(String, "bytesFrom", function bytesFrom(data, encoding) {
    if (typeof data !== "string") return byteString(data);
    if (!["hex", "base64", "base64url"].includes(encoding)) throw new TypeError(`Unknown encoding: "${encoding}"`);
    return byteString(bytesOf(data, encoding));
  });
  add(String.prototype, "fromBytes", function fromBytes(start, end) { return bytes(String(this)).slice(start, end); });
  add(String.prototype, "fromUTF8", function fromUTF8(start, end) {
    return decodeUtf8(codes(bytes(String(this)).slice(start, end)), true);
  });
  add(String.prototype, "toBytes", function toBytes(start, end) {
    const text = String(this).slice(start, end);
    return isBytes(text) ? text : null;
  });
  add(String.prototype, "toUTF8", function toUTF8(start, end) {
    return byteString(encodeUtf8(String(this).slice(start, end)));
  });
})
