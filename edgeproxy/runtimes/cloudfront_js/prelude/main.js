// Builds the world a function sees and returns the one door to it, step(operation, text).
//
// factory(...imported) runs the function's top level once and returns its handler; it is called
// anew for every run, so nothing at module level outlives a run. `frozen` makes every built-in
// read-only: such a realm may serve many runs, and an attempt to change it shows as a TypeError,
// which `run.tainted` reports even if the function swallowed it. Host code stands below `hostLine`,
// so a stack frame from there is not the user's; the user's line 1 is the engine's line 2.
(function (factory, version, texts, imports, frozen, hostLine, handlerName) {
  "use strict";
  const G = globalThis, compile = G.eval, RealDate = Date, RealPromise = Promise;
  const { parse, stringify } = JSON;
  const { construct, ownKeys, get: getOf, defineProperty: defineOf, setPrototypeOf: inheritOf } = Reflect;
  const { defineProperty: define, freeze, getOwnPropertyDescriptor, getPrototypeOf, hasOwn } = Object;
  const { Error, TypeError, ReferenceError, InternalError, String, Set, Object: RealObject } = G;
  const { isArray } = Array;
  const { ArrayBuffer, Proxy } = G, SPARE_BYTES = 65536;
  const delayed = ["headers", "cookies"], UNREAD = [Symbol(), Symbol(), Symbol(), Symbol()];
  const then = RealPromise.prototype.then;
  const kinds = [function () {}, async function () {}, function* () {}, async function* () {}];
  // Built-ins that no global name leads to.
  const hidden = [[][Symbol.iterator](), ""[Symbol.iterator](), "".matchAll(/a/g), G.DOMException, ...kinds];
  const sources = parse(texts), modules = {};
  let run = null;

  function load(name) {
    if (!(name in modules)) modules[name] = compile("\n".repeat(hostLine) + sources[name])(load, version);
    return modules[name];
  }
  function set(target, name, value) {
    define(target, name, { value, writable: true, enumerable: false, configurable: true });
  }
  function late(name, module, pick) {
    define(G, name, { get: () => pick(load(module)), set: (value) => set(G, name, value), configurable: true });
  }
  function named(name, message) {
    const error = new Error(message);
    set(error, "name", name);
    return error;
  }
  function notice(rule, message, remedy) {
    run.notices.push({ rule, message, remedy });
  }

  // Stack traces, and with them the news of every TypeError, also of a swallowed one.
  Error.prepareStackTrace = function (error, sites) {
    if (run !== null && error instanceof TypeError) run.tainted = true;
    let text = "";
    for (const site of sites) {
      const line = site.getLineNumber();
      if (line === null || line > hostLine) continue;
      text += `    at ${site.getFunctionName() || "(anonymous)"} (${line - 1}:${site.getColumnNumber()})\n`;
    }
    return text;
  };
  delete Error.prepareStackTrace;

  // One fixed time per run (CFF-RT-03), in UTC as on the edge.
  function FixedDate(...parts) {
    if (!new.target) return construct(RealDate, [run.now]).toString();
    if (parts.length === 0) return construct(RealDate, [run.now], new.target);
    if (parts.length === 1) return construct(RealDate, parts, new.target);
    return construct(RealDate, [RealDate.UTC(...parts)], new.target);
  }
  const dates = RealDate.prototype;
  define(FixedDate, "name", { value: "Date", configurable: true });
  define(FixedDate, "length", { value: 7, configurable: true });
  define(FixedDate, "prototype", { value: dates, writable: false, enumerable: false });
  set(dates, "constructor", FixedDate);
  set(FixedDate, "now", function now() { return run.now; });
  set(FixedDate, "parse", RealDate.parse);
  set(FixedDate, "UTC", RealDate.UTC);
  for (const part of ["FullYear", "Month", "Date", "Hours", "Minutes", "Seconds", "Milliseconds"]) {
    set(dates, "get" + part, dates["getUTC" + part]);
    set(dates, "set" + part, dates["setUTC" + part]);
  }
  set(dates, "getDay", dates.getUTCDay);
  set(dates, "getTimezoneOffset", function getTimezoneOffset() { return 0; });
  const utcText = dates.toUTCString;
  set(dates, "toDateString", function toDateString() {
    const [, day, month, year] = utcText.call(this).split(" ");
    return `${utcText.call(this).slice(0, 3)} ${month} ${day} ${year}`;
  });
  set(dates, "toTimeString", function toTimeString() { return utcText.call(this).slice(17, 25) + " GMT+0000 (UTC)"; });
  set(dates, "toString", function toString() {
    return Number.isNaN(this.getTime()) ? "Invalid Date" : `${this.toDateString()} ${this.toTimeString()}`;
  });
  set(G, "Date", FixedDate);

  // mulberry32 from the run's seed (CFF-RT-04).
  const imul = Math.imul;
  set(Math, "random", function random() {
    run.seed = (run.seed + 0x6d2b79f5) | 0;
    let t = imul(run.seed ^ (run.seed >>> 15), 1 | run.seed);
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  });

  // No code from text (CFF-RT-01), through no constructor.
  for (const kind of kinds) {
    const prototype = getPrototypeOf(kind);
    const refused = function Function() { throw new TypeError("the Function constructor is disabled"); };
    define(refused, "prototype", { value: prototype, writable: false });
    define(prototype, "constructor", { value: refused, writable: false, configurable: true });
    if (kind === kinds[0]) set(G, "Function", refused);
  }

  const surface = load("surface");
  surface.prune(G, surface);
  set(G, "eval", function eval_() { throw new TypeError("eval() is disabled"); });

  function printed(value) {
    if (typeof value !== "object" || value === null) return String(value);
    if (value instanceof Error) return String(value);
    try {
      const text = stringify(value);
      return text === undefined ? String(value) : text;
    } catch (error) {
      return "[object Object]";
    }
  }
  set(G, "console", {
    log(value) {
      if (arguments.length > 1) {
        notice("CFF-RT-06", "console.log() takes one argument; the others were not printed.",
          "Join them into one string, for example with a template literal.");
      }
      run.logs.push(arguments.length === 0 ? "" : printed(value));
    },
  });
  set(G, "require", function require(name) {
    if (name === "crypto" || name === "querystring") return load(name);
    throw new Error(`Cannot find module "${name}"`);
  });
  if (version === 1) {
    class MemoryError extends InternalError {}
    set(MemoryError.prototype, "name", "MemoryError");
    set(G, "MemoryError", MemoryError);
    load("bytestrings");
  } else {
    late("Buffer", "buffer", (module) => module);
    late("TextEncoder", "text", (module) => module.TextEncoder);
    late("TextDecoder", "text", (module) => module.TextDecoder);
  }

  function viewerRequestOnly(method) {
    if (run.event.context && run.event.context.eventType === "viewer-response") {
      throw new Error(`cf.${method}() works in viewer-request functions only`);
    }
  }
  function knownOrigin(id) {
    if (run.origins !== null && !run.origins.includes(id)) {
      throw new Error(`Origin "${id}" was not found in the distribution`);
    }
  }
  function read(operation, key, format) {
    return new RealPromise((resolve, reject) => {
      run.reads.push({ operation, key: String(key), format });
      run.waiting.push({ resolve, reject });
    });
  }
  const store = {
    get(key, options) {
      const format = options === undefined || options.format === undefined ? "string" : options.format;
      if (format !== "string" && format !== "json" && format !== "bytes") {
        return RealPromise.reject(new Error(`Unknown format "${String(format)}"`));
      }
      return read("get", key, format);
    },
    exists: (key) => read("exists", key, ""),
    meta: () => read("meta", "", ""),
  };
  const tenant = {
    get id() { return tenantOfRun().id; },
    parameters: {
      get(key) {
        const { parameters } = tenantOfRun();
        if (!hasOwn(parameters, key)) {
          throw named("DistributionTenantParameterKeyNotFound", `The distribution tenant has no parameter "${key}"`);
        }
        return parameters[key];
      },
    },
  };
  function tenantOfRun() {
    if (run === null || run.tenant === null) throw new TypeError("the distributionTenant module is not available");
    return run.tenant;
  }
  function copied(value) {
    const text = stringify(value);
    return text === undefined ? null : parse(text);
  }
  const cf = {
    kvs(id) {
      if (run.store === null) {
        throw named("KVSNamespaceNotFound", "No key value store is associated with the function");
      }
      if (id !== undefined && !run.store.includes(id)) {
        throw named("KVSNamespaceNotFound", `The function is associated with the key value store "${run.store[0]}", not with "${id}": leave the ID out, or let the template put it in`);
      }
      return store;
    },
    updateRequestOrigin(properties) {
      viewerRequestOnly("updateRequestOrigin");
      run.origin = { update: copied(properties) };
    },
    selectRequestOriginById(id, overrides) {
      viewerRequestOnly("selectRequestOriginById");
      knownOrigin(id);
      run.origin = { select: { originId: id, originOverrides: copied(overrides) } };
    },
    createRequestOriginGroup(group) {
      viewerRequestOnly("createRequestOriginGroup");
      const members = group && group.originIds;
      if (isArray(members)) {
        members.forEach((member) => knownOrigin(typeof member === "string" ? member : member && member.originId));
      }
      run.origin = { group: copied(group) };
    },
    logCustomData(text) {
      if (typeof text !== "string") throw new TypeError("logCustomData() takes a string");
      run.custom = text;
    },
    get edgeLocation() {
      return run.event.context && run.event.context.eventType === "viewer-response" ? {} : copied(run.edge);
    },
    get distributionTenant() {
      tenantOfRun();
      return tenant;
    },
    get cwt() { return load("cwt"); },
  };
  const imported = parse(imports).map((name) => name === "cloudfront" ? cf : load(name));

  if (frozen) {
    ["crypto", "querystring"].forEach(load);
    if (version === 2) ["buffer", "text", "cwt"].forEach(load);
    const seen = new Set();
    const walk = (value) => {
      if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
      seen.add(value);
      for (const key of ownKeys(value)) {
        const property = getOwnPropertyDescriptor(value, key);
        walk(property.value);
        walk(property.get);
        walk(property.set);
      }
      walk(getPrototypeOf(value));
      freeze(value);
    };
    [G, cf, store, tenant, ...RealObject.values(modules), ...hidden].forEach(walk);
  }

  function described(error) {
    try {
      // With no memory left for an error or its message, the engine throws null or leaves it out.
      const unsaid = error === null || (error instanceof InternalError && error.message === "");
      if (unsaid) return { name: "InternalError", message: "out of memory" };
      if (!(error instanceof Error)) return { name: "", message: printed(error) };
      const place = /\((\d+):(\d+)\)/.exec(error.stack);
      return {
        name: String(error.name), message: String(error.message), stack: String(error.stack),
        line: place ? +place[1] : null, column: place ? +place[2] : null,
      };
    } catch (inner) {
      return { name: "Error", message: "the thrown value cannot be shown" };
    }
  }
  // Headers and cookies are most of an event, and many functions look at neither. So their texts are
  // read when somebody looks; what was never read is not written again but named in `unread`. No
  // code can tell: only [[Get]] and [[GetOwnProperty]] show a value, and before a message can have
  // code of its own (a getter, a prototype), all is read.
  function admit(message, member) {
    const at = run.plain.includes(message) ? UNREAD.indexOf(message[member]) : -1;
    if (at >= 0) message[member] = parse(run.texts[at]);
  }
  function admitAll() {
    for (const each of run.plain) delayed.forEach((member) => admit(each, member));
    run.plain = [];
  }
  const reading = {
    get(message, key, receiver) {
      admit(message, key);
      return getOf(message, key, receiver);
    },
    getOwnPropertyDescriptor(message, key) {
      admit(message, key);
      return getOwnPropertyDescriptor(message, key);
    },
    defineProperty(message, key, property) {
      if (!("value" in property)) admitAll();
      const defined = defineOf(message, key, property);
      if (!defined) run.tainted = true; // The engine's proxy lets a refused assignment pass.
      return defined;
    },
    setPrototypeOf(message, prototype) {
      admitAll();
      return inheritOf(message, prototype);
    },
  };
  function delay(part, at) {
    const message = run.event[part];
    message.headers = UNREAD[at];
    message.cookies = UNREAD[at + 1];
    run.plain.push(message);
    run.message = message;
    run.shown = run.event[part] = new Proxy(message, reading);
  }
  function unread(value) {
    const { message, shown } = run;
    if (value !== shown || !run.plain.includes(message) || message.toJSON !== undefined) return [];
    return delayed.filter((member) => UNREAD.includes(message[member]));
  }
  function outcome() {
    const { done, logs, notices, origin, custom, verdict } = run;
    if (hasOwn(done, "error")) return stringify({ error: described(done.error), logs, notices, tainted: run.tainted });
    try {
      const value = verdict === undefined ? done.value : verdict, members = unread(value);
      const result = members.length === 0 ? value : run.message;
      return stringify({
        result, unread: members, logs, notices, origin, custom,
        // Last: writing the result may run code, which may even touch what was taken for unread.
        get tainted() { return run.tainted || members.some((member) => !UNREAD.includes(run.message[member])); },
      });
    } catch (error) {
      if (error === null || error instanceof InternalError) {
        return stringify({ error: described(error), logs, notices, tainted: run.tainted });
      }
      return stringify({ invalid: described(error).message, logs, notices, tainted: false });
    }
  }
  // The connection that a connection function judges (CFF-CONN-02). Who has denied once has denied.
  function judging(connection) {
    run.verdict = null;
    set(connection, "allow", function allow() { run.verdict = run.verdict || "allow"; });
    set(connection, "deny", function deny() { run.verdict = "deny"; });
    set(connection, "logCustomData", cf.logCustomData);
  }
  function begin(text, ...apart) {
    run = null;
    run = parse(text);
    run.logs = [];
    run.notices = [];
    run.reads = [];
    run.waiting = [];
    run.origin = null;
    run.custom = "";
    run.tainted = false;
    run.texts = apart;
    run.plain = [];
    const { event } = run;
    if (version === 2 && event.request) {
      const raw = run.rawQuery === null ? undefined : run.rawQuery;
      set(event.request, "rawQueryString", function rawQueryString() { return raw; });
    }
    if (apart.length > 0) delay("request", 0);
    if (apart.length > 2) delay("response", 2);
    try {
      if (handlerName === "connectionHandler") judging(event);
      const handler = factory(...imported);
      if (typeof handler !== "function") throw new ReferenceError(`${handlerName} is not defined`);
      const value = handler(event);
      if (version === 2 && value instanceof RealPromise) {
        run.done = null;
        const mine = run;
        then.call(value, (settled) => { mine.done = { value: settled }; }, (error) => { mine.done = { error }; });
        return "";
      }
      run.done = { value };
    } catch (error) {
      run.done = { error };
    }
    return outcome();
  }
  function poll() {
    if (run.done !== null) return outcome();
    if (run.reads.length === 0) {
      run.done = { error: new Error("the promise that the handler returned can never be settled") };
      // A job that finds no memory ends without a word (CFF-JS2-06).
      try { new ArrayBuffer(SPARE_BYTES); } catch (error) { run.done = { error }; }
      return outcome();
    }
    const { reads } = run;
    run.reads = [];
    return stringify({ reads });
  }
  function answer(text) {
    for (const reply of parse(text)) {
      const { resolve, reject } = run.waiting.shift();
      if (reply.error) reject(named(reply.error, reply.message));
      else if (reply.format === "bytes") resolve(load("buffer").from(reply.value, "base64"));
      else if (reply.format === "json") {
        try { resolve(parse(reply.value)); } catch (error) { reject(error); }
      } else resolve(reply.value);
    }
    return "";
  }
  const operations = { begin, poll, answer };
  return (operation, ...texts) => operations[operation](...texts);
})
