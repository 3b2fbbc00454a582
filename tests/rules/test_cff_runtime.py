"""The two runtimes of CloudFront Functions: language, built-ins, modules, limits, other helpers."""

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from edgeproxy.runtimes.cloudfront_js import (
    Completed,
    EdgeLocation,
    Failed,
    RunContext,
    Tenant,
    format_log,
    told_utilisation,
)
from tests.unit.runtimes.cloudfront_js.running import (
    EVENT,
    JS1,
    JS2,
    NOW,
    RESPONSE_EVENT,
    awaited,
    function,
    run,
    value,
)

rule = pytest.mark.rule


def refused(code: str, runtime: str) -> Failed:
    outcome = run(code, runtime)
    assert isinstance(outcome, Failed), outcome
    assert outcome.kind == "FunctionExecutionError"
    assert outcome.message.startswith("SyntaxError: ")
    return outcome


HANDLER = "function handler(event) { return event.request; }"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("const x = 1;", marks=rule("CFF-JS1-02", "CFF-ERR-04")),
        pytest.param("let x = 1;", marks=rule("CFF-JS1-02")),
        pytest.param("for (const x in {}) {}", marks=rule("CFF-JS1-02")),
        pytest.param("async function f() {}", marks=rule("CFF-JS1-02", "CFF-RET-07")),
        pytest.param("async function f() { await 1; }", marks=rule("CFF-JS1-02")),
        pytest.param("class A {}", marks=rule("CFF-JS1-04")),
        pytest.param("var a = #b in {};", marks=rule("CFF-JS1-04")),
        pytest.param("var {a} = {a: 1};", marks=rule("CFF-JS1-04")),
        pytest.param("var [a] = [1];", marks=rule("CFF-JS1-04")),
        pytest.param("var a = [...[1]];", marks=rule("CFF-JS1-04")),
        pytest.param("function f(a = 1) {}", marks=rule("CFF-JS1-04")),
        pytest.param("for (var a of []) {}", marks=rule("CFF-JS1-04")),
        pytest.param("function* f() {}", marks=rule("CFF-JS1-04")),
        pytest.param("var a = ({}).b?.c;", marks=rule("CFF-JS1-04")),
        pytest.param("var a = null ?? 1;", marks=rule("CFF-JS1-04")),
        pytest.param("import cf from 'cloudfront';", marks=rule("CFF-JS1-04", "CFF-KVS-01")),
        pytest.param("var a = 1_000;", marks=rule("CFF-JS2-05")),
        pytest.param("with ({}) {}", marks=rule("CFF-JS1-01")),
        pytest.param("try { f(); } catch { f(); }", marks=rule("CFF-JS1-01")),
        pytest.param("var a = /a/y;", marks=rule("CFF-JS1-01", "CFF-JS2-05")),
        pytest.param("var a = /a/u;", marks=rule("CFF-JS1-01")),
        pytest.param("var a = 017;", marks=rule("CFF-JS1-01")),
    ],
)
def test_runtime_1_refuses(code: str) -> None:
    assert refused(f"{code}\n{HANDLER}", JS1).location is not None


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("class A {}", marks=rule("CFF-JS2-11")),
        pytest.param("const a = #b in {};", marks=rule("CFF-JS2-11")),
        pytest.param("const {a} = {a: 1};", marks=rule("CFF-JS2-11")),
        pytest.param("const f = ([a]) => a;", marks=rule("CFF-JS2-11")),
        pytest.param("const a = {...{}};", marks=rule("CFF-JS2-11")),
        pytest.param("f(...[1]);", marks=rule("CFF-JS2-11")),
        pytest.param("const f = (a = 1) => a;", marks=rule("CFF-JS2-11")),
        pytest.param("for (const a of []) {}", marks=rule("CFF-JS2-11")),
        pytest.param("function* f() { yield 1; }", marks=rule("CFF-JS2-11")),
        pytest.param("const a = ({}).b?.();", marks=rule("CFF-JS2-11")),
        pytest.param("const a = null ?? 1;", marks=rule("CFF-JS2-11")),
        pytest.param("let a; a ??= 1;", marks=rule("CFF-JS2-11")),
        pytest.param("const a = 1n;", marks=rule("CFF-JS2-01")),
        pytest.param("with ({}) {}", marks=rule("CFF-JS2-01")),
        pytest.param("try { f(); } catch { f(); }", marks=rule("CFF-JS2-01")),
        pytest.param("const a = /./gs;", marks=rule("CFF-JS2-01")),
        pytest.param("import fs from 'fs';", marks=rule("CFF-JS2-10")),
        pytest.param("import {kvs} from 'cloudfront';", marks=rule("CFF-JS2-10")),
        pytest.param("const a = 1;\nimport cf from 'cloudfront';", marks=rule("CFF-JS2-10")),
        pytest.param("import cf from 'cloudfront';\nconst cf = 1;", marks=rule("CFF-JS2-12")),
        pytest.param("await 1;", marks=rule("CFF-JS2-03")),
        pytest.param("function f() { await 1; }", marks=rule("CFF-JS2-03")),
        pytest.param("function f() { return async () => 1; }", marks=rule("CFF-JS2-03")),
        pytest.param("function f() { async function g() {} }", marks=rule("CFF-JS2-03")),
        pytest.param("function f(g) {} f(async () => 1);", marks=rule("CFF-JS2-03")),
        pytest.param("[1].map(async function () {});", marks=rule("CFF-JS2-03")),
        pytest.param("async function g() { f(await g()); }", marks=rule("CFF-JS2-04")),
        pytest.param("async function g() { f([1, {a: await g()}]); }", marks=rule("CFF-JS2-04")),
    ],
)
def test_runtime_2_refuses(code: str) -> None:
    refused(f"{code}\n{HANDLER}", JS2)


@rule("CFF-JS2-12")
def test_unsupported_syntax_fails_each_run_and_only_then() -> None:
    broken = function(f"const a = {{}};\nconst b = a?.c;\n{HANDLER}")
    outcome = broken.run(b"{}")
    assert isinstance(outcome, Failed)
    assert outcome.location is not None
    assert (outcome.location.line, outcome.location.column) == (2, 12)
    assert outcome == broken.run(b"{}") == broken.load_error


@pytest.mark.parametrize("runtime", [JS1, JS2])
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("2 ** 5", 32, marks=rule("CFF-JS1-03")),
        pytest.param("`a${1 + 1}b`", "a2b", marks=rule("CFF-JS1-03")),
        pytest.param("[1, 2].map(x => x * 2)", [2, 4], marks=rule("CFF-JS1-03")),
        pytest.param("((...all) => all.length)(1, 2, 3)", 3, marks=rule("CFF-JS1-03")),
        pytest.param("/(?<y>\\d{4})/.exec('in 2026').groups.y", "2026", marks=rule("CFF-JS1-03")),
        pytest.param(
            "Object.entries(Object.assign({}, {a: 1}))", [["a", 1]], marks=rule("CFF-JS1-05")
        ),
        pytest.param(
            "Object.values({a: 1}).concat(Object.is(NaN, NaN))", [1, True], marks=rule("CFF-JS1-05")
        ),
        pytest.param("typeof Object.fromEntries", "undefined", marks=rule("CFF-JS1-05")),
        pytest.param(
            (
                "['a'.padStart(2, '.'), ' b '.trimEnd(), 'ab'.includes('b'), "
                "'a'.codePointAt(0), String.fromCodePoint(98)]"
            ),
            [".a", " b", True, 97, "b"],
            marks=rule("CFF-JS1-06"),
        ),
        pytest.param(
            "typeof 'a'.matchAll + typeof 'a'.at", "undefinedundefined", marks=rule("CFF-JS1-06")
        ),
        pytest.param(
            "Array.of(1, 2).includes(2) && [3, 4].findIndex(x => x === 4)",
            1,
            marks=rule("CFF-JS1-07"),
        ),
        pytest.param(
            "typeof Array.from + typeof [].flat", "undefinedundefined", marks=rule("CFF-JS1-07")
        ),
        pytest.param("Math.trunc(4.7) + Number.parseInt('3')", 7, marks=rule("CFF-JS1-08")),
        pytest.param(
            "new Uint8Array([1, 2, 3]).subarray(1).join('-')", "2-3", marks=rule("CFF-JS1-08")
        ),
        pytest.param(
            "typeof Float16Array + typeof BigInt64Array",
            "undefinedundefined",
            marks=rule("CFF-JS1-08"),
        ),
        pytest.param("new InternalError('x') instanceof Error", True, marks=rule("CFF-JS1-10")),
        pytest.param(
            "(function () { return this === undefined; })()",
            True,
            marks=rule("CFF-JS1-01", "CFF-JS2-01"),
        ),
        pytest.param("/^(?=.*\\d)\\w+?(?!x)$/i.test('a1')", True, marks=rule("CFF-RT-08")),
        pytest.param("'aXax'.replace(/x/gi, '-')", "a-a-", marks=rule("CFF-RT-08")),
        pytest.param("'a1b2'.match(/\\d/g)", ["1", "2"], marks=rule("CFF-RT-08")),
        pytest.param("'a1B-2'.split(/b.|X/i)", ["a1", "2"], marks=rule("CFF-RT-08")),
        pytest.param("String(/a/gi)", "/a/gi", marks=rule("CFF-RT-08")),
        pytest.param(
            "typeof Map + typeof Set + typeof Proxy",
            "undefined" * 3,
            marks=rule("CFF-JS1-04", "CFF-JS2-11"),
        ),
        pytest.param(
            "typeof process + typeof fetch + typeof XMLHttpRequest",
            "undefined" * 3,
            marks=rule("CFF-RT-05"),
        ),
        pytest.param(
            "typeof setTimeout + typeof setImmediate + typeof clearTimeout",
            "undefined" * 3,
            marks=rule("CFF-RT-02"),
        ),
        pytest.param("typeof queueMicrotask", "undefined", marks=rule("CFF-RT-02")),
        pytest.param("Object.keys(console)", ["log"], marks=rule("CFF-RT-06")),
    ],
)
def test_both_runtimes_have(runtime: str, expression: str, expected: object) -> None:
    assert value(expression, runtime) == expected


@pytest.mark.parametrize(
    ("expression", "in_1", "in_2"),
    [
        pytest.param(
            "typeof 'a'.replaceAll", "undefined", "function", marks=rule("CFF-JS1-06", "CFF-JS2-05")
        ),
        pytest.param(
            "typeof Object.getOwnPropertyDescriptors",
            "undefined",
            "function",
            marks=rule("CFF-JS2-05"),
        ),
        pytest.param("typeof Uint8Array.from", "undefined", "function", marks=rule("CFF-JS2-05")),
        pytest.param(
            "typeof new Uint8Array(1).map", "undefined", "function", marks=rule("CFF-JS2-05")
        ),
        pytest.param("typeof DataView", "undefined", "function", marks=rule("CFF-JS2-05")),
        pytest.param(
            "typeof Symbol", "undefined", "function", marks=rule("CFF-JS1-04", "CFF-JS2-05")
        ),
        pytest.param(
            "typeof TextEncoder + typeof TextDecoder",
            "undefined" * 2,
            "function" * 2,
            marks=rule("CFF-JS2-05"),
        ),
        pytest.param(
            "typeof atob + typeof btoa",
            "undefined" * 2,
            "function" * 2,
            marks=rule("CFF-JS1-11", "CFF-JS2-05"),
        ),
        pytest.param("typeof Buffer", "undefined", "function", marks=rule("CFF-JS1-11")),
        pytest.param(
            "typeof MemoryError", "function", "undefined", marks=rule("CFF-JS1-10", "CFF-JS2-08")
        ),
        pytest.param(
            "typeof Promise.all + typeof Promise.any",
            "undefined" * 2,
            "function" * 2,
            marks=rule("CFF-JS1-09", "CFF-JS2-06"),
        ),
        pytest.param(
            "typeof Promise.resolve().finally", "function", "function", marks=rule("CFF-JS1-09")
        ),
        *(
            pytest.param(
                f"typeof ''.{name}", "function", "undefined", marks=rule("CFF-JS1-06", "CFF-JS2-07")
            )
            for name in ("fromBytes", "fromUTF8", "toBytes", "toUTF8")
        ),
        pytest.param(
            "typeof String.bytesFrom",
            "function",
            "undefined",
            marks=rule("CFF-JS1-06", "CFF-JS2-07"),
        ),
    ],
)
def test_the_runtimes_differ(expression: str, in_1: object, in_2: object) -> None:
    assert (value(expression, JS1), value(expression, JS2)) == (in_1, in_2)


@rule("CFF-JS1-06")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("String.bytesFrom([0x62, 0x75, 0x66])", "buf"),
        ("String.bytesFrom('YnVm', 'base64')", "buf"),
        ("String.bytesFrom('627566', 'hex')", "buf"),
        ("'\\u00b6'.toUTF8().length", 2),
        ("'\\u00b6\\u{10000}'.toUTF8().fromUTF8()", "\u00b6\U00010000"),
        ("'\\u03b1'.toBytes()", None),
        ("'abc'.toBytes(1)", "bc"),
        ("'\\xff'.fromUTF8()", None),
    ],
)
def test_byte_strings(expression: str, expected: object) -> None:
    assert value(expression, JS1) == expected


@rule("CFF-RET-01")
@pytest.mark.parametrize("code", ["var other = 1;", "var handler = 1;"])
def test_without_a_handler_every_run_fails(code: str) -> None:
    outcome = run(code)
    assert isinstance(outcome, Failed)
    assert "handler" in outcome.message


@rule("CFF-RET-07", "CFF-JS2-02")
def test_an_async_handler_resolves_to_the_result() -> None:
    assert awaited("const r = await Promise.resolve(event.request.uri); return {v: r};") == {
        "v": "/a"
    }


@rule("CFF-RET-07", "CFF-JS1-09")
def test_in_runtime_1_a_promise_is_not_awaited() -> None:
    code = "function handler(event) { return Promise.resolve(event.request); }"
    outcome = run(code, JS1)
    assert isinstance(outcome, Completed)
    assert outcome.result == {}


@rule("CFF-ERR-01")
@pytest.mark.parametrize(
    "code",
    [
        "function handler(event) { throw new TypeError('no'); }",
        "async function handler(event) { throw new TypeError('no'); }",
        "function handler(event) { return Promise.reject(new TypeError('no')); }",
        "throw new TypeError('no'); function handler(event) {}",
    ],
)
def test_exceptions_and_rejections_are_execution_errors(code: str) -> None:
    outcome = run(code)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.message) == ("FunctionExecutionError", "TypeError: no")


@rule("CFF-RT-01")
@pytest.mark.parametrize("runtime", [JS1, JS2])
@pytest.mark.parametrize(
    "code",
    [
        "eval('1')",
        "new Function('return 1')",
        "Function('1')",
        "(function () {}).constructor('1')",
        "(0, eval)('1')",
    ],
)
def test_no_code_from_text(runtime: str, code: str) -> None:
    assert "disabled" in value(code, runtime)


@rule("CFF-RT-02")
def test_timers_do_not_exist() -> None:
    assert value("setTimeout(function () {}, 1)") == "ReferenceError: setTimeout is not defined"


@rule("CFF-RT-03")
@pytest.mark.parametrize("runtime", [JS1, JS2])
def test_time_stands_still_during_a_run(runtime: str) -> None:
    before = "var t = [Date.now()]; for (var i = 0; i < 20000; i++) {}"
    seen = value("t.concat(Date.now(), +new Date(), new Date().getTime())", runtime, before=before)
    assert seen == [int(NOW * 1000)] * 4


def test_dates_are_in_utc() -> None:
    assert value("new Date(2026, 0, 2, 3).toISOString()") == "2026-01-02T03:00:00.000Z"
    assert value("[new Date(0).getHours(), new Date().getTimezoneOffset()]") == [0, 0]
    assert value("String(new Date(0))") == "Thu Jan 01 1970 00:00:00 GMT+0000 (UTC)"


@rule("CFF-RT-04")
def test_random_numbers_are_seeded_with_the_time_of_the_run() -> None:
    times = iter([5.0, 5.0, 6.0])
    code = "function handler(event) { return {v: [Math.random(), Math.random()]}; }"
    dice = function(code, now=lambda: next(times))
    rolls: list[Any] = []
    for _ in range(3):
        outcome = dice.run(b"{}")
        assert isinstance(outcome, Completed)
        assert isinstance(outcome.result, dict)
        rolls.append(outcome.result["v"])
    assert rolls[0] == rolls[1] != rolls[2]
    assert all(0 <= number < 1 for roll in rolls for number in roll)
    assert rolls[0][0] != rolls[0][1]


@rule("CFF-RT-06")
def test_console_log_prints_its_first_argument() -> None:
    outcome = run(
        "function handler(event) { console.log('a', 'b'); console.log({n: 1}); return {}; }"
    )
    assert isinstance(outcome, Completed)
    assert outcome.logs == ("a", '{"n":1}')
    assert [notice.rule for notice in outcome.notices] == ["CFF-RT-06"]


@rule("CFF-RT-07")
@pytest.mark.parametrize(
    "code",
    [
        "var n = 0; function handler(event) { n++; return {v: n}; }",
        "var c = {n: 0}; function handler(event) { c.n++; return {v: c.n}; }",
        (
            "function handler(event) { globalThis.n = (globalThis.n "
            "|| 0) + 1; return {v: globalThis.n}; }"
        ),
        "function handler(event) { Math.n = (Math.n || 0) + 1; return {v: Math.n}; }",
        "function handler(event) { var p = [].map; p.n = (p.n || 0) + 1; return {v: p.n}; }",
        (
            "function handler(event) { try { Array.prototype.n = (Array.prototype.n || "
            "0) + 1; } catch (e) { return {v: 9}; } return {v: [].n}; }"
        ),
        (
            "var c = require('crypto'); function handler(event) { "
            "c.n = (c.n || 0) + 1; return {v: c.n}; }"
        ),
    ],
)
def test_nothing_survives_a_run(code: str) -> None:
    counter = function(code)
    for _ in range(3):
        outcome = counter.run(b"{}")
        assert isinstance(outcome, Completed), outcome
        assert outcome.result == {"v": 1}


@rule("CFF-RT-07")
def test_a_job_left_over_does_not_meet_the_next_run() -> None:
    code = (
        "function handler(event) { Promise.resolve().then(() => console.log('late')); return {}; }"
    )
    late = function(code)
    for _ in range(2):
        outcome = late.run(b"{}")
        assert isinstance(outcome, Completed)
        assert outcome.logs == ()


@rule("CFF-MOD-01", "CFF-JS1-12", "CFF-JS2-10")
@pytest.mark.parametrize("runtime", [JS1, JS2])
@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
@pytest.mark.parametrize("text", ["", "abc", "é€😀", "x" * 55, "x" * 56, "x" * 64, "y" * 1000])
def test_digests(runtime: str, algorithm: str, text: str) -> None:
    literal, key = json.dumps(text), "k" * (len(text) + 1)
    expected = hashlib.new(algorithm, text.encode()).digest()
    mac = hmac.new(key.encode(), text.encode(), algorithm).digest()
    call = f"require('crypto').createHash('{algorithm}').update({literal})"
    keyed = f"require('crypto').createHmac('{algorithm}', '{key}').update({literal})"
    assert value(
        f"[{call}.digest('hex'), {keyed}.digest('base64'), {keyed}.digest('base64url')]", runtime
    ) == [
        expected.hex(),
        base64.b64encode(mac).decode(),
        base64.urlsafe_b64encode(mac).decode().rstrip("="),
    ]


@rule("CFF-MOD-01")
@pytest.mark.parametrize(
    "call",
    ["createHash('sha512')", "createHash('sha1').digest('latin1')", "createHash('md5').update(1)"],
)
def test_crypto_knows_no_more(call: str) -> None:
    assert "TypeError" in value(f"require('crypto').{call}")


@rule("CFF-JS1-13")
def test_a_digest_without_encoding() -> None:
    digest = "require('crypto').createHash('md5').update('a').digest()"
    assert value(f"typeof {digest} + {digest}.length", JS1) == "string16"
    assert (
        value(f"{digest} instanceof Buffer && {digest}.toString('hex')")
        == hashlib.md5(b"a").hexdigest()
    )


@rule("CFF-JS2-10", "CFF-MOD-01", "CFF-MOD-02")
def test_modules_can_be_imported_side_by_side() -> None:
    outcome = run(
        "import crypto from 'crypto';\nimport cf from 'cloudfront';\n"
        "import qs from 'querystring';\n"
        "async function handler() {\n"
        "  const sum = crypto.createHash('md5').update('a').digest('hex');\n"
        "  return {v: [typeof cf.kvs, sum, qs.parse('a=1').a, crypto === require('crypto')]};\n}",
        JS2,
    )
    assert isinstance(outcome, Completed), outcome
    assert outcome.result == {"v": ["function", hashlib.md5(b"a").hexdigest(), "1", True]}


@rule("CFF-JS1-12", "CFF-JS2-10")
@pytest.mark.parametrize("runtime", [JS1, JS2])
def test_other_modules_do_not_exist(runtime: str) -> None:
    assert value("require('fs')", runtime) == 'Error: Cannot find module "fs"'


@rule("CFF-MOD-02")
@pytest.mark.parametrize("runtime", [JS1, JS2])
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("parse('a=1&b=2&a=3')", {"a": ["1", "3"], "b": "2"}),
        ("decode('a=%C3%A9+x&b')", {"a": "é x", "b": ""}),
        ("parse('a=%FFb')", {"a": "\ufffdb"}),
        ("parse('a:1;b:2', ';', ':')", {"a": "1", "b": "2"}),
        ("parse('a=1&b=2&c=3', '&', '=', {maxKeys: 2})", {"a": "1", "b": "2"}),
        (
            "parse('a=1', null, null, {decodeURIComponent: function (x) { return x + '!'; }})",
            {"a!": "1!"},
        ),
        ("stringify({a: ['1', 2], b: 'x y', c: true, d: null})", "a=1&a=2&b=x%20y&c=true&d="),
        ("encode({a: 1, b: 2}, ';', ':')", "a:1;b:2"),
        ("escape('a b&é')", "a%20b%26%C3%A9"),
        ("unescape('a%20b%zz')", "a b%zz"),
    ],
)
def test_querystring(runtime: str, call: str, expected: object) -> None:
    assert value(f"require('querystring').{call}", runtime) == expected


@rule("CFF-MOD-02")
def test_querystring_reads_1000_keys_unless_told_otherwise() -> None:
    long = "&".join(f"k{i}=1" for i in range(1200))
    assert len(parse_qs(long)) == 1200
    count = f"Object.keys(require('querystring').parse('{long}'{{}})).length"
    assert value(count.format("")) == 1000
    assert value(count.format(", null, null, {maxKeys: 0}")) == 1200


@rule("CFF-JS2-09")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Buffer.alloc(3, 'ab').toString()", "aba"),
        ("Buffer.allocUnsafe(2).length", 2),
        ("Buffer.byteLength('é')", 2),
        ("Buffer.compare(Buffer.from('a'), Buffer.from('b'))", -1),
        ("Buffer.concat([Buffer.from('a'), Buffer.from('bc')], 2).toString()", "ab"),
        ("Buffer.from('5e-_', 'base64url').toString('base64')", "5e+/"),
        ("Buffer.from([0xe2, 0x82, 0xac]).toString()", "€"),
        ("Buffer.from('68C3A9', 'hex').toString()", "hé"),
        ("Buffer.isBuffer(new Uint8Array(1)) || !Buffer.isBuffer(Buffer.alloc(1))", False),
        ("[Buffer.isEncoding('hex'), Buffer.isEncoding('latin1')]", [True, False]),
        ("Buffer.from('abc').compare(Buffer.from('xabc'), 1)", 0),
        ("(b => Buffer.from('xyz').copy(b, 1) + b.toString())(Buffer.from('abc'))", "2axy"),
        ("Buffer.from('a').equals(Buffer.from('a'))", True),
        ("Buffer.from('abcabc').includes('ca')", True),
        ("[Buffer.from('abcabc').indexOf('c'), Buffer.from('abcabc').lastIndexOf('c')]", [2, 5]),
        ("Buffer.from('abcabc').indexOf('b', -2)", 4),
        ("Buffer.from('abc').subarray(1).toString()", "bc"),
        ("Buffer.from([1, 2, 3, 4]).swap16().toJSON()", {"type": "Buffer", "data": [2, 1, 4, 3]}),
        ("Buffer.from('0102030405060708', 'hex').swap64().toString('hex')", "0807060504030201"),
        ("Buffer.from('ff01', 'hex').readUInt16LE()", 0x01FF),
        ("Buffer.from('ffff', 'hex').readInt16BE(0)", -1),
        ("Buffer.from('ffffff', 'hex').readIntLE(0, 3)", -1),
        ("Buffer.from('010203', 'hex').readUIntBE(0, 3)", 0x010203),
        ("(b => b.writeDoubleBE(1.5) + b.readDoubleBE())(Buffer.alloc(8))", 9.5),
        ("(b => [b.writeInt32LE(-2, 0), b.toString('hex')])(Buffer.alloc(4))", [4, "feffffff"]),
        ("(b => [b.writeUIntBE(258, 1, 2), b.toString('hex')])(Buffer.alloc(3))", [3, "000102"]),
        ("(b => [b.write('€', 1), b.toString('hex')])(Buffer.alloc(3))", [0, "000000"]),
        ("(b => [b.write('ff', 1, 'hex'), b.toString('hex')])(Buffer.alloc(2))", [1, "00ff"]),
        ("Buffer.from('abc').map(x => x + 1).length", 3),
        ("Buffer.alloc(1).readInt16BE()", "RangeError: index is out of range"),
        ("Buffer.from('a', 'latin1')", 'TypeError: Unknown encoding: "latin1"'),
        ("new TextDecoder().decode(new TextEncoder().encode('h€'))", "h€"),
        ("atob(btoa('hi'))", "hi"),
    ],
)
def test_buffer(expression: str, expected: object) -> None:
    assert value(expression) == expected


@rule("CFF-JS2-06")
def test_promise_combinators() -> None:
    body = """
    const all = await Promise.all([1, Promise.resolve(2)]);
    const any = await Promise.any([Promise.reject(1), 3]);
    const settled = await Promise.allSettled([Promise.reject(1)]);
    return {v: [all, any, settled[0].status]};"""
    assert awaited(body) == {"v": [[1, 2], 3, "rejected"]}


@rule("CFF-JS2-06", "CFF-LIM-02")
def test_a_chain_of_promises_can_use_up_the_memory() -> None:
    chain = "const again = () => Promise.resolve().then(again); await again();"
    assert "memory limit of 2 MB" in awaited(chain)
    assert "never be settled" in awaited("await new Promise(() => {});")


@rule("CFF-QS-07")
@pytest.mark.parametrize(
    ("raw", "expected"),
    [("x=%20y", ["string", "x=%20y"]), ("", ["string", ""]), (None, ["undefined", None])],
)
def test_raw_query_string(raw: str | None, expected: list[object]) -> None:
    call = "event.request.rawQueryString()"
    assert value(f"[typeof {call}, {call}]", context=RunContext(raw_query=raw)) == expected
    assert "not a function" in value(call, JS1)


@rule("CFF-HLP-01")
def test_edge_location_is_empty_in_viewer_response() -> None:
    context = RunContext(edge_location=EdgeLocation("FRA", "192.0.2.1", "eu-central-1"))
    expected = {"name": "FRA", "serverIp": "192.0.2.1", "region": "eu-central-1"}
    assert awaited("return {v: cf.edgeLocation};", context=context) == {"v": expected}
    assert awaited("return {v: cf.edgeLocation};", event=RESPONSE_EVENT) == {"v": {}}


@rule("CFF-HLP-02")
def test_custom_log_data_is_encoded_cut_and_overwritten() -> None:
    code = (
        "import cf from 'cloudfront';\nfunction handler(event) { "
        "cf.logCustomData('first'); cf.logCustomData(%s); return {}; }"
    )
    outcome = run(code % "'a b\\u20ac'")
    assert isinstance(outcome, Completed)
    assert outcome.custom_log == "a%20b%E2%82%AC"
    outcome = run(code % "'x'.repeat(900)")
    assert isinstance(outcome, Completed)
    assert outcome.custom_log == "x" * 800


@rule("CFF-HLP-03")
def test_distribution_tenant() -> None:
    context = RunContext(tenant=Tenant("dt_1", {"plan": "free"}))
    body = "return {v: [cf.distributionTenant.id, cf.distributionTenant.parameters.get('plan')]};"
    assert awaited(body, context=context) == {"v": ["dt_1", "free"]}
    assert "TypeError" in awaited(body)
    assert "not available" in awaited(body)
    missing = "return {v: cf.distributionTenant.parameters.get('toString')};"
    assert "DistributionTenantParameterKeyNotFound" in awaited(missing, context=context)


def mac0(payload: bytes, key: bytes, header: bytes = b"\xa1\x01\x05") -> bytes:
    def octets(data: bytes) -> bytes:
        return (bytes([0x40 | len(data)]) if len(data) < 24 else bytes([0x58, len(data)])) + data

    signed = b"\x84\x64MAC0" + octets(header) + b"\x40" + octets(payload)
    tag = hmac.new(key, signed, "sha256").digest()
    return b"\xd1\x84" + octets(header) + b"\xa0" + octets(payload) + octets(tag)


CLAIMS = bytes.fromhex("a2 01 63 6d 65 21 04 1a 56 12 ae b0".replace(" ", ""))  # {1: "me!", 4: …}


@rule("CFF-HLP-04")
def test_cwt() -> None:
    token = mac0(CLAIMS, b"secret")
    check = (
        f"return {{v: cf.cwt.validateToken(Buffer.from('{token.hex()}', 'hex'), {{key: '%s'}})}};"
    )
    assert awaited(check % "secret") == {
        "v": {
            "protectedHeaders": {"1": 5},
            "unprotectedHeaders": {},
            "payload": {"1": "me!", "4": 0x5612AEB0},
        }
    }
    assert "does not match" in awaited(check % "other")
    for arguments in ("{key: 'secret'}, claims", "claims, {key: 'secret'}"):
        body = (
            f"const claims = {{payload: {{1: 'me!', 4: {0x5612AEB0}}}}}; return "
            f"{{v: cf.cwt.generateToken({arguments}).toString('hex')}};"
        )
        assert awaited(body) == {"v": token.hex()}
    long = "return {v: cf.cwt.generateToken({key: 'k'}, {payload: {a: 'x'.repeat(1100)}}).length};"
    assert "longer than 1 KB" in awaited(long)
    assert "no payload" in awaited("return {v: cf.cwt.generateToken({key: 'k'}, {1: 'me!'})};")


@rule("CFF-HLP-04")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return {v: make('x'.repeat(975)).length};", {"v": 1024}),
        ("return {v: make('x'.repeat(976)).length};", "Error: the token is longer than 1 KB"),
        ("return check(Buffer.alloc(1025));", "Error: the token is longer than 1 KB"),
        ("return check(make('x').subarray(1));", "Error: the token is not a COSE MAC0 message"),
        ("return check('text');", "TypeError: the token is not a buffer"),
        (
            "return {v: check(make('x', {cwtTag: true, key: 'k', coseTag: 'MAC0'})).payload};",
            {"v": {"1": "x"}},
        ),
        ("return make('x', {key: 'k', coseTag: 'SIGN1'});", "Error: the only coseTag is MAC0"),
        (
            "return cf.cwt.generateToken({key: 'k'}, {protected: {1: 4}, payload: {}});",
            "Error: the token's algorithm is not HS256",
        ),
        ("return {v: check(make({4: 1})).payload[1]};", {"v": {"4": 1}}),
    ],
)
def test_a_cwt_is_mac0_with_hs256_and_at_most_1_kb(body: str, expected: object) -> None:
    head = (
        "const check = token => cf.cwt.validateToken(token, {key: 'k'});"
        "const make = (claim, context) => "
        "cf.cwt.generateToken(context || {key: 'k'}, {payload: {1: claim}});"
    )
    assert awaited(body, head=head) == expected


@rule("CFF-HLP-04")
@pytest.mark.parametrize("suffix", ["", "Headers"])
def test_a_cwt_keeps_its_headers_and_can_be_renewed(suffix: str) -> None:
    token = (
        f"{{protected{suffix}: {{1: '5', 3: 'x'}}, unprotected{suffix}: {{4: 'kid'}}, "
        "payload: {1: 'me'}}"
    )
    body = (
        "const context = {cwtTag: true, coseTag: 'MAC0', key: 'k'};"
        f"const first = cf.cwt.generateToken({token}, context);"
        "const read = cf.cwt.validateToken(first, context);"
        "const second = cf.cwt.generateToken(read, context);"
        "return {v: [read, first.toString('hex', 0, 3), first.equals(second)]};"
    )
    read = {
        "protectedHeaders": {"1": 5, "3": "x"},
        "unprotectedHeaders": {"4": "kid"},
        "payload": {"1": "me"},
    }
    assert awaited(body) == {"v": [read, "d83dd1", True]}


@rule("CFF-LIM-01")
def test_code_of_more_than_10_kb_is_reported() -> None:
    fits = HANDLER + " " * (10_240 - len(HANDLER))
    assert function(fits).check() == []
    assert [finding.rule for finding in function(fits + " ").check()] == ["CFF-LIM-01"]


@rule("CFF-LIM-02", "CFF-ERR-01")
def test_a_function_has_2_mb() -> None:
    grab = "function handler(event) { var a = 'x'.repeat(%d); return {n: a.length}; }"
    assert isinstance(run(grab % 1_900_000), Completed)
    outcome = run(grab % 2_200_000)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.rule) == ("FunctionExecutionError", "CFF-LIM-02")


@rule("CFF-LIM-03")
def test_utilisation_is_a_percentage() -> None:
    ticks = iter([0.0, 0.0005])
    half = function(HANDLER, monotonic=lambda: next(ticks))
    outcome = half.run(json.dumps(EVENT).encode())
    assert isinstance(outcome, Completed)
    assert outcome.utilisation == 50


@rule("CFF-LIM-04")
@pytest.mark.parametrize(
    ("utilisation", "told"),
    [(1, ""), (50, ""), (51, "close to"), (70, "close to"), (71, "throttle"), (100, "throttle")],
)
def test_what_a_utilisation_bodes(utilisation: int, told: str) -> None:
    text = told_utilisation(utilisation)
    assert told in text
    assert bool(text) == bool(told)


@rule("CFF-LIM-05")
def test_logs_are_cut_at_10_kb() -> None:
    outcome = run(
        "function handler(event) { for (var i = 0; i < 20; i++) "
        "console.log('é'.repeat(500)); return {}; }"
    )
    assert isinstance(outcome, Completed)
    assert sum(len(line.encode()) for line in outcome.logs) == 10_240


@rule("CFF-LOG-02")
def test_log_lines() -> None:
    assert format_log("id", "E1", ()) == []
    assert format_log("id", "E1", ("a", "b")) == [
        "id START DistributionID: E1",
        "id a",
        "id b",
        "id END",
    ]


@rule("CFF-RT-02", "CFF-RT-06", "CFF-JS2-11")
def test_check_names_what_will_not_work() -> None:
    code = (
        "const m = new Map();\nfunction handler(event) { console.log(1, "
        "2); setTimeout(handler, 1); return {}; }"
    )
    checked = function(code)
    assert checked.load_error is None
    assert [(finding.rule, finding.line) for finding in checked.check()] == [
        ("CFF-JS2-11", 1),
        ("CFF-RT-06", 2),
        ("CFF-RT-02", 2),
    ]
