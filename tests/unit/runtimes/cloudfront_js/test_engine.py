"""The engine: misbehaving functions, the warm realm and when it is not believed."""

import json

import pytest

from edgeproxy.runtimes.cloudfront_js import Completed, Failed, Notice
from edgeproxy.runtimes.cloudfront_js.realm import Realm
from tests.unit.runtimes.cloudfront_js.running import EVENT, JS1, JS2, function, run

GOOD = "if (event.good) return {v: 'fine'};"
EVENTS = (json.dumps(EVENT).encode(), b'{"good": true}')


@pytest.mark.rule("CFF-ERR-01", "CFF-ERR-02", "CFF-RET-02")
@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("throw new Error('boom');", "FunctionExecutionError", "Error: boom"),
        ("throw 'text';", "FunctionExecutionError", "text"),
        ("throw null;", "FunctionExecutionError", "memory"),
        ("throw {a: 1};", "FunctionExecutionError", '{"a":1}'),
        ("throw {get message() { throw 1; }};", "FunctionExecutionError", "[object Object]"),
        ("missing();", "FunctionExecutionError", "ReferenceError: missing is not defined"),
        ("return event.request.nothing.value;", "FunctionExecutionError", "TypeError"),
        ("return Promise.reject(new Error('later'));", "FunctionExecutionError", "Error: later"),
        ("return new Promise(function () {});", "FunctionExecutionError", "never be settled"),
        ("while (true) {}", "FunctionExecutionError", "compute time"),
        ("for (;;) { try { for (;;) {} } catch (e) {} }", "FunctionExecutionError", "compute time"),
        (
            "function f() { Promise.resolve().then(f); } f(); return new Promise(function () {});",
            "FunctionExecutionError",
            "compute time",
        ),
        ("return /(a+)+$/.test('a'.repeat(40) + 'b');", "FunctionExecutionError", "compute time"),
        ("function f() { return f(); } return f();", "FunctionExecutionError", "call stack"),
        (
            "var a = []; for (;;) a.push('x'.repeat(999) + a.length);",
            "FunctionExecutionError",
            "memory",
        ),
        ("return 'x'.repeat(3000000);", "FunctionExecutionError", "memory"),
        ("var a = 'x'.repeat(1500000); return {a: a};", "FunctionExecutionError", "memory"),
        (
            "for (;;) { var a = []; try { for (;;) a.push({}); } catch (e) {} }",
            "FunctionExecutionError",
            "",
        ),
        ("var a = {}; a.a = a; return a;", "FunctionValidationError", "not JSON: circular"),
        ("return {get a() { throw new Error('x'); }};", "FunctionValidationError", "not JSON: x"),
        (
            "var a = {}; for (var i = 0; i < 3000; i++) a = {a: a}; return a;",
            "FunctionValidationError",
            "not JSON",
        ),
    ],
)
def test_misbehaviour_is_reported_and_the_next_run_works(body: str, kind: str, words: str) -> None:
    bad = function(f"function handler(event) {{ {GOOD} {body} }}")
    for _ in range(2):
        outcome = bad.run(EVENTS[0])
        assert isinstance(outcome, Failed), outcome
        assert outcome.kind == kind
        assert words in outcome.message
        good = bad.run(EVENTS[1])
        assert isinstance(good, Completed)
        assert good.result == {"v": "fine"}


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("return;", None),
        ("return null;", None),
        ("return 'text';", "text"),
        ("return 5;", 5),
        ("return [1];", [1]),
        ("return {s: '\\ud800'};", {"s": "\ud800"}),
        ("return {s: 'é€😀\\u0000'};", {"s": "é€😀\0"}),
        ("return {a: undefined, f: function () {}};", {}),
        ("return {n: NaN};", {"n": None}),
    ],
)
def test_any_other_value_is_handed_on(body: str, result: object) -> None:
    outcome = run(f"function handler(event) {{ {body} }}")
    assert isinstance(outcome, Completed)
    assert outcome.result == result


@pytest.mark.parametrize("runtime", [JS1, JS2])
@pytest.mark.parametrize(
    "code", ["function handler(event) {", "var a = ;", "}) ; (function () {", "\0"]
)
def test_what_is_no_javascript_fails_with_a_place(runtime: str, code: str) -> None:
    broken = function("\n" + code, runtime)
    outcome = broken.run(b"{}")
    assert isinstance(outcome, Failed)
    assert outcome.message.startswith("SyntaxError")
    assert outcome.location is not None
    assert outcome.location.line >= 2
    assert [finding.fatal for finding in broken.check()] == [True]


def test_a_failure_tells_its_place_and_what_was_logged() -> None:
    outcome = run(
        "function f() {\n  null.x;\n}\nfunction handler(event) {\n  console.log('a');\n  f();\n}"
    )
    assert isinstance(outcome, Failed)
    assert outcome.logs == ("a",)
    assert outcome.location is not None
    assert outcome.location.line == 2


def test_the_place_is_the_users_even_when_a_module_throws() -> None:
    outcome = run("function handler(event) {\n  return Buffer.alloc(-1);\n}")
    assert isinstance(outcome, Failed)
    assert outcome.location is not None
    assert outcome.location.line == 2


def test_stack_traces_show_the_users_frames_only() -> None:
    outcome = run("function handler(event) {\n  return {s: new Error('x').stack};\n}")
    assert isinstance(outcome, Completed)
    assert outcome.result == {"s": "    at handler (2:18)\n"}


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cloudfront-js-2\.0"):
        function("", "nodejs22.x")


def test_notices_come_with_failures_too() -> None:
    outcome = run("function handler(event) { console.log(1, 2); throw 1; }")
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.notices[0], Notice)


def test_math_random_follows_the_seed_when_there_is_one() -> None:
    fractions = iter([0.25, 0.25, 0.5])
    dice = function(
        "function handler(e) { return {v: Math.random()}; }", fraction=lambda: next(fractions)
    )
    rolls = [dice.run(b"{}") for _ in range(3)]
    assert all(isinstance(roll, Completed) for roll in rolls)
    assert rolls[0].result == rolls[1].result != rolls[2].result  # type: ignore[union-attr]


EVERYTHING = """
function handler(event) {
  var seen = [], open = [];
  function walk(v, path) {
    if (Object(v) !== v || seen.indexOf(v) >= 0) return;
    seen.push(v);
    if (!Object.isFrozen(v)) open.push(path);
    Object.getOwnPropertyNames(v).forEach(function (key) {
      var property = Object.getOwnPropertyDescriptor(v, key);
      walk(property.value, path + '.' + key);
      walk(property.get, path + '.get ' + key);
      walk(property.set, path + '.set ' + key);
    });
    walk(Object.getPrototypeOf(v), path + '.__proto__');
  }
  walk(globalThis, 'globalThis');
  walk(require('crypto'), 'crypto');
  walk(require('querystring'), 'querystring');
  walk((async function () {}).constructor, 'AsyncFunction');
  if (typeof Buffer !== 'undefined') {
    [Buffer, TextEncoder, TextDecoder].forEach(function (f) { walk(f, f.name); });
  }
  try { atob('%'); } catch (error) { walk(error.constructor, 'error'); }
  return {count: seen.length, open: open};
}
"""
SETTINGS = json.dumps(
    {
        "event": {},
        "now": 0,
        "seed": 1,
        "rawQuery": None,
        "origins": None,
        "edge": {},
        "tenant": None,
        "store": None,
    }
)


@pytest.mark.rule("CFF-RT-07")
@pytest.mark.parametrize("version", [1, 2])
def test_in_a_warm_realm_everything_that_code_can_reach_is_frozen(version: int) -> None:
    report = json.loads(Realm(EVERYTHING, (), version, frozen=True).step("begin", SETTINGS))
    assert report["result"]["open"] == []
    assert report["result"]["count"] > 250


@pytest.mark.rule("CFF-RT-07")
@pytest.mark.parametrize(
    "change",
    [
        "Array.prototype.twice = function () { return 2; }; return {v: [].twice()};",
        "Object.prototype.x = 2; return {v: ({}).x};",
        "({}).toString.x = 2; return {v: ({}).toString.x};",
        "var e = new Error(); e.name = 2; return {v: e.name};",
        "var o = {}; o.toString = 2; return {v: o.toString};",
        "try { Math.x = 2; } catch (e) {} return {v: Math.x};",
        "Object.defineProperty(Math, 'x', {value: 2}); return {v: Math.x};",
        "Object.assign(JSON, {x: 2}); return {v: JSON.x};",
        "Object.setPrototypeOf(Math, {x: 2}); return {v: Math.x};",
        "delete Math.abs; return {v: Math.abs === undefined ? 2 : 1};",
        "return {v: Object.isFrozen(Math) ? 1 : 2};",
        "globalThis.x = 2; return {v: x};",
        "Buffer = 2; return {v: Buffer};",
        "Promise.resolve().then(function () { Math.x = 2; }); return {v: 2};",
    ],
)
def test_changing_a_built_in_works_as_in_a_realm_of_ones_own(change: str) -> None:
    changer = function(f"function handler(event) {{ {change} }}")
    for _ in range(3):
        outcome = changer.run(b"{}")
        assert isinstance(outcome, Completed), outcome
        assert outcome.result == {"v": 2}


def test_prepare_may_be_called_at_any_time() -> None:
    for code in (
        "function handler(e) { return {v: 1}; }",
        "function handler(e) { Math.x = 1; return {v: 1}; }",
    ):
        ready = function(code)
        for _ in range(3):
            ready.prepare()
            outcome = ready.run(b"{}")
            assert isinstance(outcome, Completed)
            assert outcome.result == {"v": 1}
    function("(").prepare()


def test_waste_of_earlier_runs_is_not_held_against_a_run() -> None:
    wasteful = function(
        "function handler(e) { var a = {t: 'x'.repeat(900000)}; a.a = a; return {n: a.t.length}; }"
    )
    for _ in range(8):
        outcome = wasteful.run(b"{}")
        assert isinstance(outcome, Completed), outcome


MESSAGE_EVENT = {
    **EVENT,
    "request": {
        **EVENT["request"],
        "headers": {"host": {"value": "www.example.com"}, "x-a": {"value": "1"}},
        "cookies": {"c": {"value": "2"}},
    },
}


@pytest.mark.rule("CFF-RT-07")
@pytest.mark.parametrize(
    "body",
    [
        "return r;",
        "r.uri = '/b'; return r;",
        "r.uri += r.headers.host.value; return r;",
        "r.headers['x-b'] = {value: 'b'}; return r;",
        "delete r.headers['x-a']; return r;",
        "delete r.headers; r.x = typeof r.headers; return r;",
        "delete r.headers; r.headers = {}; return r;",
        "r.headers = {}; r.cookies = null; return r;",
        "r.copy = Object.assign({}, r); return r;",
        "return event;",
        "return {statusCode: 200, headers: r.headers};",
        "r.keys = Object.keys(r); r.has = 'headers' in r; return r;",
        "var seen = []; for (var key in r) seen.push(key, r[key]); return {seen: seen};",
        "r.text = JSON.stringify(r); r.same = event.request === r; return r;",
        "r.kind = Object.prototype.toString.call(r); r.text = String(r); return r;",
        "r.toJSON = function () { return {h: this.headers, c: this.cookies}; }; return r;",
        "Object.setPrototypeOf(r, {toJSON: function () { return this.cookies; }}); return r;",
        "Object.setPrototypeOf(r, {get toJSON() { r.t = typeof this.headers; }}); return r;",
        "var get = () => r.cookies; Object.defineProperty(r, 'x', {get, enumerable: 1}); return r;",
        "var n = 0, get = () => ++n; Object.defineProperty(r, 'headers', {get}); return r;",
        "Object.defineProperty(r, 'headers', {enumerable: false}); return r;",
        "Object.defineProperty(r, 'headers', {value: null}); r.h = r.headers; return r;",
        "r.querystring = {toJSON: function () { delete r.headers.host; return 1; }}; return r;",
        "Object.freeze(r); try { r.uri = '/b'; } catch (e) { return {m: e.message}; }",
        "Object.freeze(r); return r;",
        "Object.freeze(r); try { r.added = 1; } catch (e) { return {m: e.message}; }",
        "Object.preventExtensions(r); try { r.added = 1; } catch (e) { return {m: e.message}; }",
        "r.querystring = {toJSON: function () { delete r.cookies; return 1; }}; return r;",
        "r.headers.x = {toJSON: function () { r.cookies = undefined; return 1; }}; return r;",
        "Object.preventExtensions(r); return {v: Object.getOwnPropertyNames(r), h: r.headers};",
        "var d = Object['getOwn' + 'PropertyDescriptor'](r, 'headers'); return d;",
        "var heir = Object.create(r); heir.headers.host.value = 'h'; return r;",
        "var heir = Object.create(r); heir.headers = 'own'; return {h: heir, r: r};",
    ],
)
def test_no_code_can_tell_when_headers_and_cookies_were_read(body: str) -> None:
    code = f"function handler(event) {{ var r = event.request; {body} }}"
    whole = function(code).run(json.dumps(MESSAGE_EVENT).encode())
    assert isinstance(whole, Completed), whole
    outcome = function(code).run(MESSAGE_EVENT)
    assert isinstance(outcome, Completed), outcome
    assert outcome.result == whole.result
    response = {**MESSAGE_EVENT["request"], "statusCode": 200}
    answered = {**MESSAGE_EVENT, "response": response}
    code = f"function handler(event) {{ var r = event.response; {body} }}"
    whole = function(code).run(json.dumps(answered).encode())
    outcome = function(code).run(answered)
    assert isinstance(whole, Completed)
    assert isinstance(outcome, Completed)
    assert outcome.result == whole.result
