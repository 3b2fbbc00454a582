// Which parts of the language each runtime has (CFF-JS1, CFF-JS2). The engine underneath is newer,
// so everything that is not in these tables is taken away.
(function (load, version) {
  "use strict";
  const { deleteProperty, ownKeys } = Reflect;
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
  };
  const GLOBALS = "Object Function Error EvalError RangeError ReferenceError SyntaxError TypeError URIError InternalError Array ArrayBuffer parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent Infinity NaN undefined eval Number Boolean String Math globalThis Date RegExp JSON Promise Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array";
  const NEWER_GLOBALS = "AggregateError DataView Symbol atob btoa";
  const ALWAYS = ["length", "name", "prototype", "constructor"];

  function keep(target, names) {
    const kept = new Set([...names.split(" "), ...ALWAYS]);
    for (const key of ownKeys(target)) {
      if (typeof key === "string" && !kept.has(key)) deleteProperty(target, key);
    }
  }
  function prune(G) {
    const typed = Object.getPrototypeOf(Uint8Array);
    keep(typed, TYPED[version][0]);
    keep(typed.prototype, TYPED[version][1]);
    keep(Uint8Array, "BYTES_PER_ELEMENT");
    keep(Uint8Array.prototype, "BYTES_PER_ELEMENT");
    for (const path of Object.keys(version === 1 ? ES5 : { ...ES5, ...NEWER })) {
      const target = path.split(".").reduce((owner, name) => owner[name], G);
      keep(target, `${ES5[path] || ""} ${version === 2 ? NEWER[path] || "" : ""}`);
    }
    keep(G, version === 1 ? GLOBALS : `${GLOBALS} ${NEWER_GLOBALS}`);
  }
  return { prune };
})
