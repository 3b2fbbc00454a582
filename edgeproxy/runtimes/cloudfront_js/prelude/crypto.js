// require('crypto'): createHash and createHmac (CFF-MOD-01).
(function (load, version) {
  "use strict";
  const { digests, hmac } = load("hash");
  const { bytesOf, textOf } = load("text");

  function input(data, encoding) {
    if (typeof data === "string") return bytesOf(data, encoding);
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    throw new TypeError("data is neither a string nor a buffer");
  }
  function chosen(name) {
    if (!["md5", "sha1", "sha256"].includes(name)) throw new TypeError(`not supported algorithm: "${String(name)}"`);
    return digests[name];
  }
  class Hash {
    #bytes = [];
    #finish;
    constructor(finish) { this.#finish = finish; }
    update(data, encoding) {
      if (this.#finish === null) throw new Error("Digest already called");
      const more = input(data, encoding);
      for (let i = 0; i < more.length; i++) this.#bytes.push(more[i]);
      return this;
    }
    // Without an encoding a Buffer in 2.0 and a byte string in 1.0 (CFF-JS1-13).
    digest(encoding) {
      if (this.#finish === null) throw new Error("Digest already called");
      if (encoding !== undefined && !["hex", "base64", "base64url"].includes(encoding)) {
        throw new TypeError(`Unknown digest encoding: "${String(encoding)}"`);
      }
      const bytes = this.#finish(new Uint8Array(this.#bytes));
      this.#finish = null;
      if (encoding !== undefined) return textOf(bytes, encoding);
      if (version === 2) return load("buffer").from(bytes);
      return String.fromCharCode.apply(null, bytes);
    }
  }
  return {
    createHash(name) {
      return new Hash(chosen(name));
    },
    createHmac(name, key) {
      const digest = chosen(name), secret = input(key);
      return new Hash((bytes) => hmac(digest, secret, bytes));
    },
  };
})
