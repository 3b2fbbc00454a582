"""What a CloudFront Function cannot reach, and what it cannot break.

Code that runs for ever or takes all memory is stopped, whatever part of the engine it is in; the
process lives, and the next function is served.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edgeproxy.runtimes.cloudfront_js import Completed, Failed
from edgeproxy.runtimes.cloudfront_js.realm import MEMORY_BYTES, STEP_CPU_S, Realm
from tests.unit.runtimes.cloudfront_js.running import EVENT, JS1, JS2, awaited, function, run, value

rule = pytest.mark.rule
both = pytest.mark.parametrize("runtime", [JS1, JS2])

LANGUAGE = """
Object Function Error EvalError RangeError ReferenceError SyntaxError TypeError URIError
InternalError Array ArrayBuffer parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent
encodeURI encodeURIComponent Infinity NaN undefined eval Number Boolean String Math globalThis Date
RegExp JSON Promise Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array
Uint32Array Float32Array Float64Array console require
"""
ONLY = {
    JS1: "MemoryError",
    JS2: "AggregateError DataView Symbol atob btoa Buffer TextEncoder TextDecoder",
}

# Visits every object that code can come by, and leaves the functions in `found`. Marks go on the
# objects themselves where that is possible, since this language has no sets.
WALK = """
var found = [], fixed = [], queue = [globalThis, event, arguments, /a/, 'a'.match(/a/)];
queue.push(function () {}, (function () { try { null.x } catch (error) { return error; } })());
queue.push(Promise.resolve(), new Date(), new Uint8Array(1), require('crypto'));
queue.push(require('querystring'), require('crypto').createHash('md5'));
queue.push.apply(queue, extra);
function visit(thing) {
  if (thing === null || typeof thing !== 'object' && typeof thing !== 'function') return;
  if (Object.isExtensible(thing)) {
    if (Object.prototype.hasOwnProperty.call(thing, '~')) return;
    Object.defineProperty(thing, '~', {value: 1});
  } else {
    if (fixed.includes(thing)) return;
    fixed.push(thing);
  }
  if (typeof thing === 'function') found.push(thing);
  queue.push(thing);
}
for (var i = 0; i < queue.length; i++) {
  var thing = queue[i], names = Object.getOwnPropertyNames(thing);
  visit(thing);
  visit(Object.getPrototypeOf(thing));
  for (var j = 0; j < names.length; j++) {
    if (names[j] === '~') continue;
    var property = Object.getOwnPropertyDescriptor(thing, names[j]);
    visit(property.value);
    visit(property.get);
    visit(property.set);
    try { visit(thing[names[j]]); } catch (error) {}
  }
}
"""
EXTRA = {
    JS1: "[]",
    JS2: "[cf, Buffer.from('a'), new DataView(new ArrayBuffer(1)), wait, wait(), "
    "[][Symbol.iterator](), ''[Symbol.iterator]()]",
}


def walking(statement: str, runtime: str) -> str:
    head = "import cf from 'cloudfront';\nasync function wait() {}\n" if runtime == JS2 else ""
    walk = WALK.replace("extra", EXTRA[runtime])
    return f"{head}function handler(event) {{ {walk} {statement} }}"


@contextmanager
def no_python() -> Iterator[None]:
    """Fails when Python opens, imports, compiles, connects or starts anything meanwhile."""
    _heard.clear()
    _listening.append(True)
    try:
        yield
    finally:
        _listening.clear()
    assert _heard == []


_heard: list[str] = []
_listening: list[bool] = []
_WATCHED = ("open", "import", "exec", "compile", "os.", "socket.", "subprocess.", "ctypes.")


def _listen(event: str, _: tuple[object, ...]) -> None:
    if _listening and event.startswith(_WATCHED):
        _heard.append(event)


sys.addaudithook(_listen)


@rule("CFF-RT-05", "CFF-RT-02")
@both
def test_the_global_scope_holds_the_language_and_nothing_of_the_host(runtime: str) -> None:
    names = value("Object.getOwnPropertyNames(globalThis)", runtime)
    assert set(names) == {*LANGUAGE.split(), *ONLY[runtime].split()}


@rule("CFF-RT-01")
@both
def test_no_function_that_can_be_reached_makes_code_from_text(runtime: str) -> None:
    statement = """
    var made = [], tried = 0;
    for (i = 0; i < found.length; i++) {
      [found[i], found[i].constructor].forEach(function (make) {
        ['call', 'new'].forEach(function (how) {
          try {
            tried++;
            var result = how === 'new' ? new make('return 42') : make('return 42');
            if (typeof result === 'function' && result() === 42) made.push(make.name);
          } catch (error) {}
        });
      });
    }
    return {made: made, functions: found.length, tried: tried};"""
    with no_python():
        outcome = run(walking(statement, runtime), runtime)
    # What else was called may have made the run invalid.
    assert isinstance(outcome.result, dict), outcome
    assert outcome.result["made"] == []
    assert outcome.result["functions"] > 150
    assert outcome.result["tried"] == 4 * outcome.result["functions"]


ODD = (
    "[undefined, null, 0, -1, 1e9, NaN, 'return 42', {}, [], function () {}, {length: 1e9}, event]"
)
GROUPS = 30


@rule("CFF-RT-05")
@both
def test_functions_of_the_host_stand_odd_receivers_and_arguments(runtime: str) -> None:
    """Whatever is called on whatever: the run ends, and the next function is not harmed."""
    with no_python():
        for group in range(GROUPS):
            statement = f"""
            var odd = {ODD};
            for (i = {group}; i < found.length; i += {GROUPS}) {{
              for (j = 0; j < odd.length; j++) {{
                var other = odd[(i + j) % odd.length];
                try {{ found[i].call(odd[j], other, odd[j]); }} catch (error) {{}}
                try {{ new found[i](odd[j], other); }} catch (error) {{}}
              }}
            }}
            return {{}};"""
            run(walking(statement, runtime), runtime)
    assert value("event.request.uri", runtime) == "/a"


@rule("CFF-RT-05")
@pytest.mark.parametrize("name", ["std", "os", "fs", "bjson", "/etc/passwd", "./engine.py"])
def test_the_engine_itself_has_nothing_to_import(name: str) -> None:
    """Below the check of the syntax, which refuses import()."""
    body = f"""
    var got = "waiting";
    function handler(event) {{
      import({json.dumps(name)}).then(() => {{ got = "loaded"; }}, () => {{ got = "refused"; }});
      return Promise.resolve().then(() => 1).then(() => 1).then(() => 1).then(() => ({{got}}));
    }}"""
    realm = Realm(body, [], 2, frozen=False)
    settings = {"event": EVENT, "now": 0, "seed": 1, "rawQuery": None, "origins": None}
    with no_python():
        assert realm.step("begin", json.dumps({**settings, "edge": {}, "tenant": None})) == ""
        while realm.run_job():
            pass
        report = json.loads(realm.step("poll", ""))
    assert report["result"] == {"got": "refused"}


@both
@pytest.mark.parametrize(
    "expression",
    [
        "(function () { return this; })()",
        "arguments.callee",
        "(function f() { return f.caller; })()",
        "(function () { return arguments.callee.caller; })()",
    ],
)
def test_strict_code_sees_no_caller_and_no_global_this(runtime: str, expression: str) -> None:
    seen = value(expression, runtime)
    assert seen is None or seen.startswith("TypeError")


@both
def test_a_stack_trace_shows_the_functions_own_lines_only(runtime: str) -> None:
    stack = value("(function () { try { null.x } catch (e) { return e.stack; } })()", runtime)
    assert "handler" in stack
    assert all(line.count(":") == 1 and "/" not in line for line in stack.strip().splitlines())
    hook = "Error.prepareStackTrace = function (e, sites) { return sites; }"
    assert isinstance(value(f"({hook}, new Error().stack)", runtime), str)


TOO_LONG = {
    "loop": "for (;;) {}",
    "comparator": "[3, 2, 1].sort(function () { for (;;) {} })",
    "getter": "({get a() { for (;;) {} }}).a",
    "toJSON": "JSON.stringify({toJSON: function () { for (;;) {} }})",
    "toString": "'' + {toString: function () { for (;;) {} }}",
    "replacer": "'a'.replace(/a/, function () { for (;;) {} })",
    "finally": "(function () { for (;;) { try { for (;;) {} } finally { continue; } } })()",
    "nested quantifiers": "/^(a+)+$/.test('a'.repeat(40) + 'b')",
    "alternatives": "/(a|aa)+$/.test('a'.repeat(100) + 'b')",
    "empty matches": "/(.*)*x/.test('a'.repeat(5000))",
    "join": "(function (a) { a.length = 4294967295; return a.join('x'); })([])",
    "indexOf": "(function (a) { a.length = 4294967295; return a.indexOf(5); })([])",
    "sparse sort": "(function (a) { a.length = 4294967295; return a.sort(); })([])",
    "array-like": "Array.prototype.lastIndexOf.call({length: 9007199254740990}, 1)",
    "array-like move": "Array.prototype.copyWithin.call({length: 9007199254740990}, 1, 0)",
}


@rule("CFF-LIM-03")
@both
@pytest.mark.parametrize("name", TOO_LONG)
def test_what_takes_too_long_is_stopped(name: str, runtime: str) -> None:
    hostile = function(f"function handler(event) {{ {statement(TOO_LONG[name])} }}", runtime)
    started = time.thread_time()
    outcome = hostile.run(json.dumps(EVENT).encode())
    assert isinstance(outcome, Failed)
    assert (outcome.rule, outcome.utilisation) == ("CFF-LIM-03", 100)
    assert time.thread_time() - started < 20 * STEP_CPU_S


@rule("CFF-LIM-03")
@pytest.mark.parametrize(
    "body",
    [
        "for (;;) { await 1; }",
        "await Promise.resolve(); for (;;) {}",
        "const again = () => Promise.resolve().then(again); await again();",
        "await {then: function () { for (;;) {} }};",
    ],
)
def test_promise_jobs_are_stopped(body: str) -> None:
    started = time.monotonic()
    assert awaited(body).startswith("The function was stopped")
    assert time.monotonic() - started < 10


TOO_LARGE = {
    "repeat": "'x'.repeat(1e9)",
    "padding": "'x'.padStart(1e9, 'ab')",
    "doubling": "(function (s) { for (;;) { s += s; s.charAt(0); } })('x'.repeat(1000))",
    "fill": "new Array(1e9).fill(0)",
    "push": "(function (a) { for (;;) { a.push(1); } })([])",
    "typed array": "new Uint8Array(1e9)",
    "split": "'a'.repeat(1e6).split('')",
    "replace": "'a'.repeat(100000).replace(/a/g, 'b'.repeat(10000))",
    "JSON bomb": "(function (o, p) { for (var i = 0; i < 1000; i++) p.push(o); "
    "return JSON.stringify(p); })('x'.repeat(10000), [])",
    "log": "(function () { for (;;) { console.log('x'.repeat(1000)); } })()",
    "one log": "console.log(encodeURIComponent('\\u20ac'.repeat(200000)))",
    "digest": "require('crypto').createHash('md5').update('x'.repeat(1900000)).digest('hex')",
    "deep value": "(function (a) { for (;;) { a = [a]; } })([])",
    "bound functions": "(function (f) { for (;;) { f = f.bind(null); } })(function () {})",
    "prototype chain": "(function (o) { for (;;) { o = Object.create(o); } })({})",
}


@rule("CFF-LIM-02")
@both
@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_takes_too_much_memory_is_stopped(name: str, runtime: str) -> None:
    outcome = run(f"function handler(event) {{ {statement(TOO_LARGE[name])} }}", runtime)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.rule) == ("FunctionExecutionError", "CFF-LIM-02")


@rule("CFF-LIM-02")
def test_bind_is_stopped_at_whichever_of_its_allocations_the_memory_ends() -> None:
    """The engine's own crashes at one of them; what is taken before decides which it is."""
    loop = statement(TOO_LARGE["bound functions"])
    for attempt in range(200):
        taken = f"var text = '{'a' * attempt}', zeros = {[0] * (12 + attempt % 5)};"
        outcome = run(f"function handler(event) {{ {taken} {loop} }}", "cloudfront-js-2.0")
        assert isinstance(outcome, Failed)
        assert outcome.rule == "CFF-LIM-02"


@both
def test_bind_is_as_the_language_says(runtime: str) -> None:
    bind = "Function.prototype.bind"
    assert value(f"[{bind}.name, {bind}.length, 'prototype' in {bind}]", runtime) == [
        "bind",
        1,
        False,
    ]
    described = "(function (a, b, c) { return [this.x, a, b, c]; }).bind({x: 1}, 2)"
    assert value(f"({described})(3, 4)", runtime) == [1, 2, 3, 4]
    assert value(f"[{described}.length, ({described}).name]", runtime) == [2, "bound "]
    made = "new ((function (a, b) { this.sum = a + b; }).bind(null, 1))(2).sum"
    assert value(made, runtime) == 3


@both
@pytest.mark.parametrize(
    "expression",
    [
        "(function f() { return f(); })()",
        "(function (a) { a.toString = function () { return '' + a; }; return '' + a; })({})",
        "JSON.parse('['.repeat(200000))",
        "JSON.parse('['.repeat(100000) + ']'.repeat(100000))",
        "(function (a) { a[0] = a; return a.concat(String(a)); })([])",
        "(function (a) { for (var i = 0; i < 8000; i++) a = [a]; return JSON.stringify(a); })([])",
        "new RegExp('(?:'.repeat(20000) + 'a' + ')*'.repeat(20000)).test('a'.repeat(100))",
        "new RegExp('('.repeat(50000) + ')'.repeat(50000))",
        "Math.max.apply(null, {length: 1e9})",
        "String.fromCharCode.apply(null, {length: 4e9})",
        "new ArrayBuffer(9007199254740991)",
        "'x'.repeat(-1)",
    ],
)
def test_what_goes_too_deep_or_too_far_fails_as_an_error(expression: str, runtime: str) -> None:
    """In the engine's own C code as well; the function itself may catch it."""
    outcome = run(f"function handler(event) {{ {statement(expression)} }}", runtime)
    if isinstance(outcome, Failed):
        assert outcome.kind == "FunctionExecutionError"
    assert value("event.request.uri", runtime) == "/a"


@rule("CFF-RET-02")
@both
def test_a_result_that_is_nested_too_deeply_is_refused(runtime: str) -> None:
    """The engine may write what Python cannot read."""
    code = "function handler() { var a = []; for (var i = 0; i < %d; i++) a = [a]; return {a: a}; }"
    assert isinstance(run(code % 500, runtime), Completed)
    outcome = run(code % 4000, runtime)
    assert isinstance(outcome, Failed)
    assert outcome.message.endswith("nested too deeply.")


@both
def test_the_memory_of_the_process_does_not_grow_with_hostile_runs(runtime: str) -> None:
    hostile = function(f"function handler(event) {{ {statement(TOO_LARGE['split'])} }}", runtime)
    assert isinstance(hostile.run(json.dumps(EVENT).encode()), Failed)
    before = _resident()
    for _ in range(20):
        assert isinstance(hostile.run(json.dumps(EVENT).encode()), Failed)
    assert _resident() - before < 10 * MEMORY_BYTES


def _resident() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def statement(code: str) -> str:
    return code if code.startswith("for ") else f"return {{v: {code}}};"
