// UTF-8, and the encodings of binary data as text: hex, base64, base64url.
(function () {
  "use strict";
  const { charCodeAt, slice } = String.prototype;
  const { fromCharCode } = String;
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const ALPHABET = { base64: DIGITS + "+/", base64url: DIGITS + "-_" };
  const VALUES = {};
  for (let i = 0; i < 64; i++) {
    VALUES[ALPHABET.base64[i]] = i;
    VALUES[ALPHABET.base64url[i]] = i;
  }

  // Lone surrogates become U+FFFD.
  function encodeUtf8(text) {
    const bytes = [];
    for (let i = 0; i < text.length; i++) {
      let code = charCodeAt.call(text, i);
      if (code >= 0xd800 && code < 0xe000) {
        const low = code < 0xdc00 && i + 1 < text.length ? charCodeAt.call(text, i + 1) : 0;
        if (low >= 0xdc00 && low < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          i++;
        } else code = 0xfffd;
      }
      if (code < 0x80) bytes.push(code);
      else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
      else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
      else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
    return bytes;
  }

  // Text, or null when `fatal` and the bytes are not UTF-8. A wrong byte becomes U+FFFD.
  function decodeUtf8(bytes, fatal) {
    let text = "";
    for (let i = 0; i < bytes.length; ) {
      const first = bytes[i++];
      if (first < 0x80) {
        text += fromCharCode(first);
        continue;
      }
      let more = first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : 0;
      let code = more === 0 ? 0xfffd : first & (0x3f >> more);
      let low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
      let high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
      if (more === 0 && fatal) return null;
      for (; more > 0; more--) {
        const next = bytes[i];
        if (i >= bytes.length || next < low || next > high) {
          if (fatal) return null;
          code = 0xfffd;
          break;
        }
        code = (code << 6) | (next & 63);
        low = 0x80;
        high = 0xbf;
        i++;
      }
      if (code < 0x10000) text += fromCharCode(code);
      else text += fromCharCode(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + (code & 0x3ff));
    }
    return text;
  }

  function toBase64(bytes, kind) {
    const alphabet = ALPHABET[kind];
    let text = "";
    for (let i = 0; i < bytes.length; i += 3) {
      const left = bytes.length - i;
      const group = (bytes[i] << 16) | ((left > 1 ? bytes[i + 1] : 0) << 8) | (left > 2 ? bytes[i + 2] : 0);
      text += alphabet[group >> 18] + alphabet[(group >> 12) & 63];
      if (left > 1) text += alphabet[(group >> 6) & 63];
      if (left > 2) text += alphabet[group & 63];
      if (left < 3 && kind === "base64") text += left === 1 ? "==" : "=";
    }
    return text;
  }
  // Both alphabets, padding optional; reading ends at the first "=", other characters are skipped.
  function fromBase64(text) {
    const bytes = [];
    let bits = 0, count = 0;
    for (let i = 0; i < text.length && text[i] !== "="; i++) {
      const value = VALUES[text[i]];
      if (value === undefined) continue;
      bits = ((bits << 6) | value) & 0xfffff;
      count += 6;
      if (count >= 8) {
        count -= 8;
        bytes.push((bits >> count) & 255);
      }
    }
    return bytes;
  }
  function toHex(bytes) {
    let text = "";
    for (let i = 0; i < bytes.length; i++) text += (bytes[i] < 16 ? "0" : "") + bytes[i].toString(16);
    return text;
  }
  function fromHex(text) {
    const bytes = [];
    for (let i = 0; i + 1 < text.length; i += 2) {
      const pair = slice.call(text, i, i + 2);
      if (!/^[0-9a-f]{2}$/i.test(pair)) break;
      bytes.push(parseInt(pair, 16));
    }
    return bytes;
  }

  const ENCODINGS = ["utf8", "hex", "base64", "base64url"];
  function encodingName(encoding) {
    const name = String(encoding === undefined ? "utf8" : encoding).toLowerCase();
    return name === "utf-8" ? "utf8" : name;
  }
  function isEncoding(encoding) {
    return typeof encoding === "string" && ENCODINGS.includes(encodingName(encoding));
  }
  function known(encoding) {
    const name = encodingName(encoding);
    if (!ENCODINGS.includes(name)) throw new TypeError(`Unknown encoding: "${name}"`);
    return name;
  }
  function bytesOf(text, encoding) {
    const name = known(encoding);
    return name === "utf8" ? encodeUtf8(text) : name === "hex" ? fromHex(text) : fromBase64(text);
  }
  function textOf(bytes, encoding) {
    const name = known(encoding);
    return name === "utf8" ? decodeUtf8(bytes, false) : name === "hex" ? toHex(bytes) : toBase64(bytes, name);
  }

  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return new Uint8Array(encodeUtf8(String(text))); }
    encodeInto(text, target) {
      let read = 0, written = 0;
      for (const character of String(text)) {
        const bytes = encodeUtf8(character);
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        written += bytes.length;
        read += character.length;
      }
      return { read, written };
    }
  }
  class TextDecoder {
    #fatal;
    #keepMark;
    constructor(label = "utf-8", options = {}) {
      if (!["utf-8", "utf8"].includes(String(label).toLowerCase())) throw new RangeError(`The "${label}" encoding is not supported`);
      this.#fatal = Boolean(options.fatal);
      this.#keepMark = Boolean(options.ignoreBOM);
    }
    get encoding() { return "utf-8"; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#keepMark; }
    decode(input = new Uint8Array(0)) {
      const bytes = ArrayBuffer.isView(input) ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength) : new Uint8Array(input);
      const text = decodeUtf8(bytes, this.#fatal);
      if (text === null) throw new TypeError("The encoded data was not valid");
      return text[0] === "\ufeff" && !this.#keepMark ? text.slice(1) : text;
    }
  }
  return { TextEncoder, TextDecoder, bytesOf, textOf, encodeUtf8, decodeUtf8, isEncoding };
})
