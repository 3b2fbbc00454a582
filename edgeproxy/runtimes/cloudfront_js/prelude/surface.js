// Which parts of the language each runtime has (CFF-JS1, CFF-JS2). The engine underneath is newer,
// so everything that is not in these tables is taken away.
(function (load, version) {
  "use strict";
  const { apply, defineProperty, deleteProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;
  const Room = ArrayBuffer;
  const ES5 = {
    Object: "create defineProperties defineProperty freeze getOwnPropertyDescriptor getOwnPropertyNames getPrototypeOf isExtensible isFrozen isSealed keys preventExtensions seal assign is setPrototypeOf entries values",
    "Object.prototype": "hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf __proto__",
    "Function.prototype": "apply bind call toString",
    String: "fromCharCode fromCodePoint",
    "String.prototype": "charAt charCodeAt concat indexOf lastIndexOf localeCompare match replace search slice split substr substring toLocaleLowerCase toLocaleUpperCase toLowerCase toString toUpperCase trim valueOf codePointAt endsWith includes repeat startsWith padStart padEnd trimStart trimEnd",
    Number: "EPSILON MAX_SAFE_INTEGER MAX_VALUE MIN_SAFE_INTEGER MIN_VALUE NEGATIVE_INFINITY NaN POSITIVE_INFINITY isFinite isInteger isNaN isSafeInteger parseFloat parseInt",
    "Number.prototype": "toExponential toFixed toLocaleString toPrecision toString valueOf",
    Boolean: "",
    "Boolean.prototype": "toString valueOf",
    Math: "E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2 abs acos acosh asin asinh atan atan2 atanh cbrt ceil clz32 cos cosh exp expm1 floor fround hypot imul log log10 log1p log2 max min pow random round sign sin sinh sqrt tan tanh trunc",
    Array: "isArray of",
    "Array.prototype": "concat every filter forEach indexOf join lastIndexOf map pop push reduce reduceRight reverse shift slice some sort splice toLocaleString toString unshift copyWithin fill find findIndex includes",
    ArrayBuffer: "isView",
    "ArrayBuffer.prototype": "byteLength slice",
    Promise: "resolve reject",
    "Promise.prototype": "then catch finally",
    RegExp: "",
    "RegExp.prototype": "exec global ignoreCase lastIndex multiline source test toString",
    JSON: "parse stringify",
    "Error.prototype": "name message stack toString",
    Error: "",
  };
  const TYPED = { 1: ["", "copyWithin fill join set slice subarray toString buffer byteLength byteOffset"], 2: ["from of", "copyWithin fill join set slice subarray toString buffer byteLength byteOffset every filter find findIndex forEach includes indexOf lastIndexOf map reduce reduceRight reverse some sort"] };
  const NEWER = {
    Object: "getOwnPropertyDescriptors",
    "String.prototype": "replaceAll",
    Promise: "all allSettled any race",
    "RegExp.prototype": "sticky flags",
    Symbol: "for keyFor asyncIterator hasInstance isConcatSpreadable iterator match matchAll replace search species split toPrimitive toStringTag unscopables",
    "Symbol.prototype": "toString valueOf description",
    "DataView.prototype": "buffer byteLength byteOffset getFloat32 getFloat64 getInt16 getInt32 getInt8 getUint16 getUint32 getUint8 setFloat32 setFloat64 setInt16 setInt32 setInt8 setUint16 setUint32 setUint8",
  };
  const GLOBALS = "Object Function Error EvalError RangeError ReferenceError SyntaxError TypeError URIError InternalError Array ArrayBuffer parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent Infinity NaN undefined eval Number Boolean String Math globalThis Date RegExp JSON Promise Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array";
  const NEWER_GLOBALS = "AggregateError DataView Symbol atob btoa";
  const FLAGS = { hasIndices: "d", global: "g", ignoreCase: "i", multiline: "m", dotAll: "s", unicode: "u", unicodeSets: "v", sticky: "y" };
  const ALWAYS = ["length", "name", "prototype", "constructor"];

  function keep(target, names) {
    const kept = new Set([...names.split(" "), ...ALWAYS]);
    for (const key of ownKeys(target)) {
      if (typeof key === "string" && !kept.has(key)) deleteProperty(target, key);
    }
  }
  // The engine's replace, match and split ask for `flags`, and its getter for each flag, of which
  // some are taken away. So there is a getter that needs none of them, in 1.0 as well.
  function flagsGetter(prototype) {
    const getters = ownKeys(FLAGS).map((name) => [getOwnPropertyDescriptor(prototype, name).get, FLAGS[name]]);
    const { get } = getOwnPropertyDescriptor({
      get flags() {
        let text = "";
        for (let i = 0; i < getters.length; i++) if (apply(getters[i][0], this, [])) text += getters[i][1];
        return text;
      },
    }, "flags");
    return get;
  }
  function prune(G) {
    const get = flagsGetter(G.RegExp.prototype);
    const typed = Object.getPrototypeOf(Uint8Array);
    keep(typed, TYPED[version][0]);
    keep(typed.prototype, TYPED[version][1]);
    keep(Uint8Array, "BYTES_PER_ELEMENT");
    keep(Uint8Array.prototype, "BYTES_PER_ELEMENT");
    for (const path of Object.keys(version === 1 ? ES5 : { ...ES5, ...NEWER })) {
      const target = path.split(".").reduce((owner, name) => owner[name], G);
      keep(target, `${ES5[path] || ""} ${version === 2 ? NEWER[path] || "" : ""}`);
    }
    bound(G.Array.prototype);
    safeBind(G.Function.prototype);
    defineProperty(G.RegExp.prototype, "flags", { get, configurable: true });
    keep(G, version === 1 ? GLOBALS : `${GLOBALS} ${NEWER_GLOBALS}`);
  }

  // The engine does not look at the time within these, and an array may be long without taking any
  // memory: what would go on for minutes waits for the end of its time here (CFF-LIM-03).
  const LONGEST = 1e6;
  const UNTIMED = ["join", "toString", "toLocaleString", "reverse", "sort", "splice", "slice", "concat", "copyWithin", "shift", "unshift"];
  const isLong = (value) => typeof value === "object" && value !== null && value.length > LONGEST;
  function bound(prototype) {
    for (const name of UNTIMED) {
      const native = prototype[name];
      const { [name]: method } = {
        [name](...values) {
          while (isLong(this) || (name === "concat" && values.some(isLong)));
          return apply(native, this, values);
        },
      };
      defineProperty(method, "length", { value: native.length });
      defineProperty(prototype, name, { value: method });
    }
  }

  // The engine's own bind crashes where the memory for what it binds cannot be had. So as much and
  // more is taken, and given back, just before: where that fails, it fails as it should.
  function safeBind(prototype) {
    const native = prototype.bind;
    const { bind } = {
      bind(self, ...values) {
        new Room(4096 + 16 * values.length);
        return apply(native, this, arguments);
      },
    };
    defineProperty(bind, "length", { value: native.length });
    defineProperty(prototype, "bind", { value: bind });
  }
  return { prune };
})
