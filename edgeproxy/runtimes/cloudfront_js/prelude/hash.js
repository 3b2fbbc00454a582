// md5, sha1 and sha256 (RFC 1321, FIPS 180-4) and HMAC (RFC 2104), from bytes to bytes. They are
// JavaScript because the engine lets no code of the host run while a time limit is in force.
(function () {
  "use strict";
  const { floor, abs, sin } = Math;
  const PRIMES = [];
  for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((prime) => n % prime !== 0)) PRIMES.push(n);
  const fraction = (value) => floor((value - floor(value)) * 4294967296) | 0;
  const SHA256_K = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
  const SHA256_START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
  const MD5_K = PRIMES.map((_, i) => floor(abs(sin(i + 1)) * 4294967296) | 0);
  const MD5_TURNS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
  const START = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0];
  const left = (value, by) => (value << by) | (value >>> (32 - by));
  const right = (value, by) => (value >>> by) | (value << (32 - by));

  // The padded message as 32-bit words, sixteen to a block.
  function words(bytes, littleEndian) {
    const size = ((bytes.length + 72) >> 6) << 4;
    const out = new Int32Array(size);
    const place = littleEndian ? (i) => (i & 3) << 3 : (i) => (3 - (i & 3)) << 3;
    for (let i = 0; i < bytes.length; i++) out[i >> 2] |= bytes[i] << place(i);
    out[bytes.length >> 2] |= 0x80 << place(bytes.length);
    const low = (bytes.length << 3) | 0, high = bytes.length >>> 29;
    out[size - 2] = littleEndian ? low : high;
    out[size - 1] = littleEndian ? high : low;
    return out;
  }
  function output(state, littleEndian) {
    const bytes = new Uint8Array(state.length * 4);
    for (let i = 0; i < bytes.length; i++) bytes[i] = state[i >> 2] >>> ((littleEndian ? i & 3 : 3 - (i & 3)) << 3);
    return bytes;
  }

  function sha256(bytes) {
    const message = words(bytes, false), w = new Int32Array(64), state = new Int32Array(SHA256_START);
    for (let block = 0; block < message.length; block += 16) {
      for (let t = 0; t < 64; t++) {
        if (t < 16) w[t] = message[block + t];
        else {
          const a = w[t - 15], b = w[t - 2];
          w[t] = w[t - 16] + (right(a, 7) ^ right(a, 18) ^ (a >>> 3)) + w[t - 7] + (right(b, 17) ^ right(b, 19) ^ (b >>> 10));
        }
      }
      let [a, b, c, d, e, f, g, h] = state;
      for (let t = 0; t < 64; t++) {
        const one = (h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + SHA256_K[t] + w[t]) | 0;
        const two = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g; g = f; f = e; e = (d + one) | 0;
        d = c; c = b; b = a; a = (one + two) | 0;
      }
      [a, b, c, d, e, f, g, h].forEach((value, i) => { state[i] += value; });
    }
    return output(state, false);
  }

  function sha1(bytes) {
    const message = words(bytes, false), w = new Int32Array(80), state = new Int32Array(START);
    for (let block = 0; block < message.length; block += 16) {
      let [a, b, c, d, e] = state;
      for (let t = 0; t < 80; t++) {
        w[t] = t < 16 ? message[block + t] : left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        const mixed = t < 20 ? ((b & c) | (~b & d)) + 0x5a827999
          : t < 40 ? (b ^ c ^ d) + 0x6ed9eba1
          : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
          : (b ^ c ^ d) + 0xca62c1d6;
        const next = (left(a, 5) + mixed + e + w[t]) | 0;
        e = d; d = c; c = left(b, 30); b = a; a = next;
      }
      [a, b, c, d, e].forEach((value, i) => { state[i] += value; });
    }
    return output(state, false);
  }

  function md5(bytes) {
    const message = words(bytes, true), state = new Int32Array(START.slice(0, 4));
    for (let block = 0; block < message.length; block += 16) {
      let [a, b, c, d] = state;
      for (let t = 0; t < 64; t++) {
        const round = t >> 4;
        const mixed = round === 0 ? (b & c) | (~b & d) : round === 1 ? (d & b) | (~d & c) : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
        const from = round === 0 ? t : round === 1 ? 5 * t + 1 : round === 2 ? 3 * t + 5 : 7 * t;
        const next = (b + left((a + mixed + MD5_K[t] + message[block + (from & 15)]) | 0, MD5_TURNS[round * 4 + (t & 3)])) | 0;
        a = d; d = c; c = b; b = next;
      }
      [a, b, c, d].forEach((value, i) => { state[i] += value; });
    }
    return output(state, true);
  }

  const digests = { md5, sha1, sha256 };
  function hmac(digest, key, bytes) {
    const block = new Uint8Array(64);
    block.set(key.length > 64 ? digest(key) : key);
    const inner = new Uint8Array(64 + bytes.length), outer = new Uint8Array(64);
    for (let i = 0; i < 64; i++) {
      inner[i] = block[i] ^ 0x36;
      outer[i] = block[i] ^ 0x5c;
    }
    inner.set(bytes, 64);
    const first = digest(inner), last = new Uint8Array(64 + first.length);
    last.set(outer);
    last.set(first, 64);
    return digest(last);
  }
  return { digests, hmac };
})
