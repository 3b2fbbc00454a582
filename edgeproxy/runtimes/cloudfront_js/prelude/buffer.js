// Buffer of runtime 2.0 (CFF-JS2-09), on top of Uint8Array.
(function (load) {
  "use strict";
  const { bytesOf, textOf, isEncoding } = load("text");
  const { setPrototypeOf, defineProperty } = Object;

  const made = (bytes) => setPrototypeOf(bytes, Buffer.prototype);
  const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const isBytes = (value) => value instanceof Uint8Array;

  function Buffer() {
    throw new TypeError("Buffer is not a constructor; use Buffer.from() or Buffer.alloc()");
  }
  function size(length) {
    if (typeof length !== "number" || !(length >= 0)) throw new RangeError("invalid size");
    return length;
  }
  function needle(value, encoding) {
    if (typeof value === "string") return bytesOf(value, encoding);
    if (isBytes(value)) return value;
    if (typeof value === "number") return [value & 255];
    throw new TypeError("value is neither a string, a number nor a buffer");
  }
  function order(a, b) {
    if (!isBytes(a) || !isBytes(b)) throw new TypeError("argument is not a buffer");
    const common = a.length < b.length ? a.length : b.length;
    for (let i = 0; i < common; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
    return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
  }
  function find(buffer, value, offset, encoding, backwards) {
    if (typeof offset === "string") return find(buffer, value, undefined, offset, backwards);
    const wanted = needle(value, encoding);
    const last = buffer.length - wanted.length;
    let at = offset === undefined ? (backwards ? last : 0) : Math.trunc(+offset) || 0;
    if (at < 0) at += buffer.length;
    if (backwards && at > last) at = last;
    if (!backwards && at < 0) at = 0;
    for (; at >= 0 && at <= last; at += backwards ? -1 : 1) {
      let i = 0;
      while (i < wanted.length && buffer[at + i] === wanted[i]) i++;
      if (i === wanted.length) return at;
    }
    return -1;
  }
  function swap(buffer, width) {
    if (buffer.length % width !== 0) throw new RangeError(`Buffer size must be a multiple of ${width * 8}-bits`);
    for (let i = 0; i < buffer.length; i += width) buffer.subarray(i, i + width).reverse();
    return buffer;
  }
  function place(buffer, offset, width) {
    const at = offset === undefined ? 0 : offset;
    if (!Number.isInteger(at) || at < 0 || at + width > buffer.length) throw new RangeError("index is out of range");
    return at;
  }
  function checkedWidth(width) {
    if (!Number.isInteger(width) || width < 1 || width > 6) throw new RangeError("byteLength must be from 1 to 6");
    return width;
  }

  const statics = {
    alloc(length, fill, encoding) {
      const buffer = made(new Uint8Array(size(length)));
      return fill === undefined ? buffer : buffer.fill(fill, encoding);
    },
    allocUnsafe: (length) => made(new Uint8Array(size(length))),
    byteLength(value, encoding) {
      if (typeof value === "string") return bytesOf(value, encoding).length;
      if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
      throw new TypeError("argument is neither a string nor a buffer");
    },
    compare: order,
    concat(list, total) {
      if (!Array.isArray(list)) throw new TypeError("argument is not an array of buffers");
      const length = total === undefined ? list.reduce((sum, item) => sum + item.length, 0) : size(total);
      const buffer = made(new Uint8Array(length));
      let at = 0;
      for (const item of list) {
        if (!isBytes(item)) throw new TypeError("argument is not an array of buffers");
        buffer.set(item.subarray(0, length - at), at);
        at = at + item.length < length ? at + item.length : length;
      }
      return buffer;
    },
    from(value, second, third) {
      if (typeof value === "string") return made(new Uint8Array(bytesOf(value, second)));
      if (value instanceof ArrayBuffer) return made(new Uint8Array(value, second, third));
      if (Array.isArray(value) || ArrayBuffer.isView(value)) return made(new Uint8Array(value));
      if (value !== null && typeof value === "object") {
        if (value.type === "Buffer" && Array.isArray(value.data)) return made(new Uint8Array(value.data));
        const inner = value.valueOf();
        if (inner !== value) return statics.from(inner, second, third);
      }
      throw new TypeError("first argument is not a string, an array or a buffer");
    },
    isBuffer: (value) => value instanceof Buffer,
    isEncoding,
  };
  const methods = {
    compare(target, targetStart, targetEnd, start, end) {
      if (!isBytes(target)) throw new TypeError("target is not a buffer");
      return order(this.subarray(start, end), target.subarray(targetStart, targetEnd));
    },
    copy(target, targetStart = 0, start = 0, end = this.length) {
      const part = this.subarray(start, end).subarray(0, Math.max(0, target.length - targetStart));
      target.set(part, targetStart);
      return part.length;
    },
    equals(other) { return order(this, other) === 0; },
    fill(value, offset, end, encoding) {
      if (typeof offset === "string") return methods.fill.call(this, value, undefined, undefined, offset);
      if (typeof end === "string") return methods.fill.call(this, value, offset, undefined, end);
      const pattern = needle(value, encoding);
      const from = offset === undefined ? 0 : offset, to = end === undefined ? this.length : end;
      if (from < 0 || to > this.length) throw new RangeError("index is out of range");
      for (let i = from; i < to; i++) this[i] = pattern.length === 0 ? 0 : pattern[(i - from) % pattern.length];
      return this;
    },
    includes(value, offset, encoding) { return find(this, value, offset, encoding, false) >= 0; },
    indexOf(value, offset, encoding) { return find(this, value, offset, encoding, false); },
    lastIndexOf(value, offset, encoding) { return find(this, value, offset, encoding, true); },
    subarray(start, end) { return made(Uint8Array.prototype.subarray.call(new Uint8Array(this.buffer, this.byteOffset, this.length), start, end)); },
    slice(start, end) { return this.subarray(start, end); },
    swap16() { return swap(this, 2); },
    swap32() { return swap(this, 4); },
    swap64() { return swap(this, 8); },
    toJSON() { return { type: "Buffer", data: Array.prototype.slice.call(this) }; },
    toString(encoding, start, end) { return textOf(this.subarray(start, end), encoding); },
    write(text, offset, length, encoding) {
      if (typeof offset === "string") return methods.write.call(this, text, undefined, undefined, offset);
      if (typeof length === "string") return methods.write.call(this, text, offset, undefined, length);
      const at = offset === undefined ? 0 : offset;
      if (at < 0 || at > this.length) throw new RangeError("index is out of range");
      const room = this.length - at, wanted = length === undefined || length > room ? room : length;
      let bytes = bytesOf(String(text), encoding);
      // A character that does not fit whole is not written.
      let end = bytes.length < wanted ? bytes.length : wanted;
      if (end < bytes.length && (encoding === undefined || /^utf-?8$/i.test(encoding))) while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
      bytes = bytes.slice(0, end);
      this.set(bytes, at);
      return bytes.length;
    },
    readIntBE(offset, width) { const value = methods.readUIntBE.call(this, offset, width); return value >= 2 ** (8 * width - 1) ? value - 2 ** (8 * width) : value; },
    readIntLE(offset, width) { const value = methods.readUIntLE.call(this, offset, width); return value >= 2 ** (8 * width - 1) ? value - 2 ** (8 * width) : value; },
    readUIntBE(offset, width) {
      const at = place(this, offset, checkedWidth(width));
      let value = 0;
      for (let i = 0; i < width; i++) value = value * 256 + this[at + i];
      return value;
    },
    readUIntLE(offset, width) {
      const at = place(this, offset, checkedWidth(width));
      let value = 0;
      for (let i = width - 1; i >= 0; i--) value = value * 256 + this[at + i];
      return value;
    },
    writeUIntBE(value, offset, width) { return writeNumber(this, value, offset, width, false, false); },
    writeUIntLE(value, offset, width) { return writeNumber(this, value, offset, width, true, false); },
    writeIntBE(value, offset, width) { return writeNumber(this, value, offset, width, false, true); },
    writeIntLE(value, offset, width) { return writeNumber(this, value, offset, width, true, true); },
  };
  function inRange(value, width, signed) {
    const low = signed ? -(2 ** (8 * width - 1)) : 0, high = 2 ** (8 * width - (signed ? 1 : 0)) - 1;
    const number = +value;
    if (!(number >= low && number <= high)) throw new RangeError("value is out of range");
    return Math.trunc(number);
  }
  function writeNumber(buffer, value, offset, width, littleEndian, signed) {
    const at = place(buffer, offset, checkedWidth(width));
    let rest = inRange(value, width, signed);
    if (rest < 0) rest += 2 ** (8 * width);
    for (let i = 0; i < width; i++) {
      buffer[littleEndian ? at + i : at + width - 1 - i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return at + width;
  }
  function family(name, width, accessor, signed) {
    for (const end of width === 1 ? [""] : ["BE", "LE"]) {
      methods[`read${name}${end}`] = function (offset) { return view(this)[`get${accessor}`](place(this, offset, width), end === "LE"); };
      methods[`write${name}${end}`] = function (value, offset) {
        const at = place(this, offset, width);
        view(this)[`set${accessor}`](at, signed === null ? +value : inRange(value, width, signed), end === "LE");
        return at + width;
      };
    }
  }
  family("Int8", 1, "Int8", true);
  family("UInt8", 1, "Uint8", false);
  family("Int16", 2, "Int16", true);
  family("UInt16", 2, "Uint16", false);
  family("Int32", 4, "Int32", true);
  family("UInt32", 4, "Uint32", false);
  family("Float", 4, "Float32", null);
  family("Double", 8, "Float64", null);
  for (const name of Object.keys(methods)) {
    const alias = name.replace("UInt", "Uint");
    if (alias !== name) methods[alias] = methods[name];
  }

  setPrototypeOf(Buffer.prototype, Uint8Array.prototype);
  defineProperty(Buffer, Symbol.species, { get: () => Uint8Array, configurable: true });
  const add = (target, name, value) => defineProperty(target, name, { value, writable: true, enumerable: false, configurable: true });
  for (const name of Object.keys(statics)) add(Buffer, name, statics[name]);
  for (const name of Object.keys(methods)) add(Buffer.prototype, name, methods[name]);
  return Buffer;
})
