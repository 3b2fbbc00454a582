// cf.cwt: CBOR Web Tokens as COSE MAC0 with HS256 (CFF-HLP-04; RFC 8392, RFC 9052, RFC 8949).
(function (load) {
  "use strict";
  const { digests, hmac } = load("hash");
  const Buffer = load("buffer");
  const { encodeUtf8, decodeUtf8 } = load("text");
  const HS256 = 5, ALGORITHM = 1, MAC0_TAG = 17, CWT_TAG = 61, MAX_BYTES = 1024, MAX_DEPTH = 16;

  class Tagged {
    constructor(tag, value) { this.tag = tag; this.value = value; }
  }
  function head(out, major, size) {
    const first = major << 5;
    if (size < 24) out.push(first | size);
    else if (size < 0x100) out.push(first | 24, size);
    else if (size < 0x10000) out.push(first | 25, size >> 8, size & 255);
    else if (size < 0x100000000) out.push(first | 26, (size >>> 24) & 255, (size >>> 16) & 255, (size >>> 8) & 255, size & 255);
    else {
      out.push(first | 27);
      head32(out, Math.floor(size / 0x100000000));
      head32(out, size % 0x100000000);
    }
  }
  function head32(out, value) {
    out.push((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  }
  function append(out, bytes) {
    for (let i = 0; i < bytes.length; i++) out.push(bytes[i]);
  }
  // Names of claims that are integers (as `"4"`) become integer labels.
  function label(key) {
    return /^-?(0|[1-9]\d{0,14})$/.test(key) ? +key : key;
  }
  function write(out, value) {
    if (typeof value === "number" && Number.isInteger(value)) value < 0 ? head(out, 1, -1 - value) : head(out, 0, value);
    else if (typeof value === "number") {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value);
      out.push(0xfb);
      append(out, bytes);
    } else if (typeof value === "string") {
      const bytes = encodeUtf8(value);
      head(out, 3, bytes.length);
      append(out, bytes);
    } else if (typeof value === "boolean") out.push(value ? 0xf5 : 0xf4);
    else if (value === null || value === undefined) out.push(0xf6);
    else if (value instanceof Uint8Array) {
      head(out, 2, value.length);
      append(out, value);
    } else if (value instanceof Tagged) {
      head(out, 6, value.tag);
      write(out, value.value);
    } else if (Array.isArray(value)) {
      head(out, 4, value.length);
      value.forEach((item) => write(out, item));
    } else {
      const keys = Object.keys(value);
      head(out, 5, keys.length);
      for (const key of keys) {
        write(out, label(key));
        write(out, value[key]);
      }
    }
    return out;
  }
  function reader(bytes) {
    let at = 0;
    function take(count) {
      if (at + count > bytes.length) throw new Error("the token is not valid CBOR");
      at += count;
      return bytes.subarray(at - count, at);
    }
    function size(short) {
      if (short < 24) return short;
      if (short > 27) throw new Error("the token is not valid CBOR");
      return take(1 << (short - 24)).reduce((sum, byte) => sum * 256 + byte, 0);
    }
    function read(depth) {
      if (depth > MAX_DEPTH) throw new Error("the token is nested too deeply");
      const first = take(1)[0], major = first >> 5, short = first & 31;
      if (major === 7) {
        if (short === 20 || short === 21) return short === 21;
        if (short === 22 || short === 23) return null;
        if (short === 26) return Buffer.from(take(4)).readFloatBE();
        if (short === 27) return Buffer.from(take(8)).readDoubleBE();
        throw new Error("the token is not valid CBOR");
      }
      const count = size(short);
      if (major === 0) return count;
      if (major === 1) return -1 - count;
      if (major === 2) return Buffer.from(take(count));
      if (major === 3) return decodeUtf8(take(count), false);
      if (major === 6) return new Tagged(count, read(depth + 1));
      if (major === 4) {
        const list = [];
        for (let i = 0; i < count; i++) list.push(read(depth + 1));
        return list;
      }
      const map = {};
      for (let i = 0; i < count; i++) {
        const key = read(depth + 1);
        Object.defineProperty(map, String(key), { value: read(depth + 1), writable: true, enumerable: true, configurable: true });
      }
      return map;
    }
    return { read: () => read(0), ended: () => at === bytes.length };
  }
  function keyOf(context) {
    const { key } = context || {};
    if (typeof key === "string") return encodeUtf8(key);
    if (key instanceof Uint8Array) return key;
    throw new TypeError("key is neither a string nor a buffer");
  }
  function tag(protectedHeader, payload, key) {
    return hmac(digests.sha256, key, new Uint8Array(write([], ["MAC0", protectedHeader, Buffer.alloc(0), payload])));
  }

  return {
    validateToken(token, context) {
      if (!(token instanceof Uint8Array)) throw new TypeError("the token is not a buffer");
      if (token.length > MAX_BYTES) throw new Error("the token is longer than 1 KB");
      const input = reader(token);
      let message = input.read();
      if (message instanceof Tagged && message.tag === CWT_TAG) message = message.value;
      const parts = message instanceof Tagged && message.tag === MAC0_TAG ? message.value : null;
      if (!input.ended() || !Array.isArray(parts) || parts.length !== 4) throw new Error("the token is not a COSE MAC0 message");
      const [protectedHeader, unprotectedHeaders, payload, mac] = parts;
      if (![protectedHeader, payload, mac].every((part) => part instanceof Uint8Array)) throw new Error("the token is not a COSE MAC0 message");
      const protectedHeaders = protectedHeader.length === 0 ? {} : reader(protectedHeader).read();
      if (protectedHeaders[ALGORITHM] !== HS256) throw new Error("the token's algorithm is not HS256");
      if (!Buffer.from(tag(protectedHeader, payload, keyOf(context))).equals(mac)) throw new Error("the token's authentication tag does not match");
      return { protectedHeaders, unprotectedHeaders, payload: reader(payload).read() };
    },
    // The documentation shows both orders of the arguments; the context is the one with a key. It
    // has two names for each kind of headers as well: those of its table and those of its example.
    generateToken(first, second) {
      const [context, given] = first && first.key !== undefined ? [first, second] : [second, first];
      const key = keyOf(context);
      if (!given || typeof given.payload !== "object") throw new TypeError("the token to generate has no payload");
      if (context.coseTag !== undefined && context.coseTag !== "MAC0") throw new Error("the only coseTag is MAC0");
      const headers = { [ALGORITHM]: HS256, ...(given.protectedHeaders || given.protected) };
      if (+headers[ALGORITHM] !== HS256) throw new Error("the token's algorithm is not HS256");
      const header = Buffer.from(write([], { ...headers, [ALGORITHM]: HS256 }));
      const payload = Buffer.from(write([], given.payload));
      const open = given.unprotectedHeaders || given.unprotected || {};
      const message = new Tagged(MAC0_TAG, [header, open, payload, Buffer.from(tag(header, payload, key))]);
      const token = Buffer.from(write([], context.cwtTag ? new Tagged(CWT_TAG, message) : message));
      if (token.length > MAX_BYTES) throw new Error("the token is longer than 1 KB");
      return token;
    },
  };
})
