"""The built-in objects of both runtimes of CloudFront Functions, member by member.

The names are those of ECMAScript 5.1 and of the lists in AWS's guide; a runtime has these and no
others.
"""

import pytest

from tests.unit.runtimes.cloudfront_js.running import JS1, JS2, value

rule = pytest.mark.rule

OBJECT = (
    "create defineProperties defineProperty freeze getOwnPropertyDescriptor getOwnPropertyNames "
    "getPrototypeOf isExtensible isFrozen isSealed keys preventExtensions seal "
    "assign is setPrototypeOf entries values"
)
STRING = (
    "charAt charCodeAt concat indexOf lastIndexOf localeCompare match replace search slice split "
    "substr substring toLocaleLowerCase toLocaleUpperCase toLowerCase toString toUpperCase trim "
    "valueOf codePointAt endsWith includes repeat startsWith padStart padEnd trimStart trimEnd"
)
MATH = (
    "E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2 abs acos asin atan atan2 ceil cos exp floor log max "
    "min pow random round sin sqrt tan acosh asinh atanh cbrt clz32 cosh expm1 fround hypot imul "
    "log10 log1p log2 sign sinh tanh trunc"
)
ARRAY = (
    "concat every filter forEach indexOf join lastIndexOf map pop push reduce reduceRight reverse "
    "shift slice some sort splice toLocaleString toString unshift "
    "copyWithin fill find findIndex includes"
)
NUMBER = (
    "EPSILON MAX_SAFE_INTEGER MAX_VALUE MIN_SAFE_INTEGER MIN_VALUE NEGATIVE_INFINITY NaN "
    "POSITIVE_INFINITY isFinite isInteger isNaN isSafeInteger parseFloat parseInt"
)
TYPED = "buffer byteLength byteOffset copyWithin fill join set slice subarray toString"
MORE_TYPED = (
    "every filter find findIndex forEach includes indexOf lastIndexOf map reduce reduceRight "
    "reverse some sort"
)
GLOBALS = (
    "Array ArrayBuffer Boolean Date Error EvalError Float32Array Float64Array Function Infinity "
    "Int16Array Int32Array Int8Array InternalError JSON Math NaN Number Object Promise RangeError "
    "ReferenceError RegExp String SyntaxError TypeError URIError Uint16Array Uint32Array "
    "Uint8Array Uint8ClampedArray console decodeURI decodeURIComponent encodeURI "
    "encodeURIComponent eval globalThis isFinite isNaN parseFloat parseInt require undefined"
)
VIEWS = "Float32 Float64 Int16 Int32 Int8 Uint16 Uint32 Uint8"
BYTE_STRINGS = "fromBytes fromUTF8 toBytes toUTF8"


def members(owner: str, runtime: str) -> set[str]:
    """The names of the object's own members, without what every function and prototype has."""
    names = value(f"Object.getOwnPropertyNames({owner})", runtime)
    return set(names) - {"length", "name", "prototype", "constructor", "__proto__"}


@pytest.mark.parametrize(
    ("owner", "in_both", "only_in_1", "only_in_2"),
    [
        pytest.param(
            "Object",
            OBJECT,
            "",
            "getOwnPropertyDescriptors",
            marks=rule("CFF-JS1-05", "CFF-JS2-05"),
        ),
        pytest.param(
            "Object.prototype",
            "hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf",
            "",
            "",
            marks=rule("CFF-JS1-05"),
        ),
        pytest.param(
            "String",
            "fromCharCode fromCodePoint",
            "bytesFrom",
            "",
            marks=rule("CFF-JS1-06", "CFF-JS2-07"),
        ),
        pytest.param(
            "String.prototype",
            STRING,
            BYTE_STRINGS,
            "replaceAll",
            marks=rule("CFF-JS1-06", "CFF-JS2-05", "CFF-JS2-07"),
        ),
        pytest.param("Array", "isArray of", "", "", marks=rule("CFF-JS1-07")),
        pytest.param("Array.prototype", ARRAY, "", "", marks=rule("CFF-JS1-07")),
        pytest.param("Number", NUMBER, "", "", marks=rule("CFF-JS1-08")),
        pytest.param(
            "Number.prototype",
            "toExponential toFixed toLocaleString toPrecision toString valueOf",
            "",
            "",
            marks=rule("CFF-JS1-08"),
        ),
        pytest.param("Math", MATH, "", "", marks=rule("CFF-JS1-08")),
        pytest.param("ArrayBuffer", "isView", "", "", marks=rule("CFF-JS1-08")),
        pytest.param("ArrayBuffer.prototype", "byteLength slice", "", "", marks=rule("CFF-JS1-08")),
        pytest.param(
            "Object.getPrototypeOf(Uint8Array)",
            "",
            "",
            "from of",
            marks=rule("CFF-JS1-08", "CFF-JS2-05"),
        ),
        pytest.param(
            "Object.getPrototypeOf(Uint8Array.prototype)",
            TYPED,
            "",
            MORE_TYPED,
            marks=rule("CFF-JS1-08", "CFF-JS2-05"),
        ),
        pytest.param(
            "Promise",
            "reject resolve",
            "",
            "all allSettled any race",
            marks=rule("CFF-JS1-09", "CFF-JS2-06"),
        ),
        pytest.param("Promise.prototype", "catch finally then", "", "", marks=rule("CFF-JS1-09")),
        pytest.param("JSON", "parse stringify", "", "", marks=rule("CFF-JS1-01", "CFF-JS2-01")),
        pytest.param(
            "Function.prototype", "apply bind call toString", "", "", marks=rule("CFF-JS1-01")
        ),
        pytest.param(
            "globalThis",
            GLOBALS,
            "MemoryError",
            "AggregateError Buffer DataView Symbol TextDecoder TextEncoder atob btoa",
            marks=rule("CFF-JS1-10", "CFF-JS1-11", "CFF-JS2-05", "CFF-JS2-08", "CFF-RT-05"),
        ),
        pytest.param(
            "require('crypto')", "createHash createHmac", "", "", marks=rule("CFF-MOD-01")
        ),
        pytest.param(
            "require('querystring')",
            "decode encode escape parse stringify unescape",
            "",
            "",
            marks=rule("CFF-MOD-02"),
        ),
    ],
)
def test_members(owner: str, in_both: str, only_in_1: str, only_in_2: str) -> None:
    assert members(owner, JS1) == {*in_both.split(), *only_in_1.split()}
    assert members(owner, JS2) == {*in_both.split(), *only_in_2.split()}


@rule("CFF-JS2-05")
def test_views_of_data_know_the_listed_kinds() -> None:
    kinds = {f"{verb}{kind}" for verb in ("get", "set") for kind in VIEWS.split()}
    assert members("DataView.prototype", JS2) == {"buffer", "byteLength", "byteOffset", *kinds}


@rule("CFF-JS2-09")
def test_buffer_has_the_listed_methods() -> None:
    numbers = {
        f"{verb}{kind}{order}"
        for verb in ("read", "write")
        for kind in ("Int", "Int16", "Int32", "UInt", "UInt16", "UInt32", "Float", "Double")
        for order in ("BE", "LE")
    }
    one_byte = {"readInt8", "readUInt8", "writeInt8", "writeUInt8"}
    others = (
        "compare copy equals fill includes indexOf lastIndexOf subarray swap16 swap32 swap64 "
        "toJSON toString write"
    )
    assert members("Buffer.prototype", JS2) >= numbers | one_byte | {*others.split()}
    assert members("Buffer", JS2) == {
        *("alloc", "allocUnsafe", "byteLength", "compare"),
        *("concat", "from", "isBuffer", "isEncoding"),
    }


@rule("CFF-JS2-05")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1_000.5_0", 1000.5),
        ("'a.b.c'.replaceAll('.', '-')", "a-b-c"),
        ("[/a/y.sticky, /a/g.sticky, /a/gi.flags]", [True, False, "gi"]),
        ("/b/[Symbol.split]('abc')", ["a", "c"]),
        ("Object.getOwnPropertyDescriptors({get a() { return 1; }}).a.enumerable", True),
        ("Uint8Array.from([1, 2], x => x * 2).join()", "2,4"),
        ("Uint8Array.of(1, 258).join()", "1,2"),
        ("new Int8Array([3, 1, 2]).sort().map(x => -x).join()", "-1,-2,-3"),
        (
            (
                "(v => { v.setInt16(0, -2, true); return [v.getUint8(0), v.getInt16(0)]; })"
                "(new DataView(new ArrayBuffer(2)))"
            ),
            [254, -257],
        ),
        ("Symbol.for('a') === Symbol.for('a') && Symbol.keyFor(Symbol.for('a'))", "a"),
        ("new TextEncoder().encodeInto('aé', new Uint8Array(2))", {"read": 1, "written": 1}),
        ("new TextDecoder('utf-8', {fatal: true}).fatal", True),
        ("new TextDecoder().decode(new Uint8Array([255]))", "\ufffd"),
        ("[atob('_w=='.replace('_', '/')).charCodeAt(0), btoa('\\xff')]", [255, "/w=="]),
    ],
)
def test_what_runtime_2_adds(expression: str, expected: object) -> None:
    assert value(expression, JS2) == expected


@rule("CFF-JS2-02")
def test_runtime_2_has_blocks_with_names_of_their_own() -> None:
    assert value("(() => { let a = 1; { let a = 2; } return a; })()", JS2) == 1
    assert "read-only" in value("(() => { const a = 1; a = 2; })()", JS2)


@rule("CFF-MOD-02")
@pytest.mark.parametrize("runtime", [JS1, JS2])
def test_querystring_asks_its_own_escape_and_unescape(runtime: str) -> None:
    before = "var q = require('querystring'); q.escape = q.unescape = s => `<${s}>`;"
    assert value("[q.stringify({a: 'b'}), q.parse('a=b')]", runtime, before=before) == [
        "<a>=<b>",
        {"<a>": "<b>"},
    ]
