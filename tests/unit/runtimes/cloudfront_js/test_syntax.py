"""Finding refused syntax: places, the import of helpers, and what is left alone."""

import pytest

from edgeproxy.runtimes.cloudfront_js.syntax import parse_program


def fatal(code: str, version: int = 2) -> list[tuple[int, int]]:
    findings = parse_program(code, version).findings
    return [(finding.line, finding.column) for finding in findings if finding.fatal]


def test_places_count_from_one() -> None:
    assert fatal("var a;\n  class A {}\nvar b = a?.c;") == [(2, 3), (3, 10)]


@pytest.mark.rule("CFF-JS2-10")
@pytest.mark.parametrize(
    ("code", "imports"),
    [
        ("import cf from 'cloudfront';\nvar a;", (("cf", "cloudfront"),)),
        (
            '// comment\n/* more\n */ import edge from "cloudfront"\nvar a;',
            (("edge", "cloudfront"),),
        ),
        (
            "import qs from 'querystring'; // é\nimport c from 'crypto';\nvar a;",
            (("qs", "querystring"), ("c", "crypto")),
        ),
        ("var a;", ()),
    ],
)
def test_the_import_is_blanked_where_it_stands(
    code: str, imports: tuple[tuple[str, str], ...]
) -> None:
    program = parse_program(code, 2)
    assert program.imports == imports
    assert "import" not in program.body
    assert len(program.body) == len(code)
    assert program.body.count("\n") == code.count("\n")
    assert program.body.endswith("var a;")


def test_the_word_in_a_string_or_comment_is_left_alone() -> None:
    code = "var a = \"import cf from 'cloudfront'\"; // import cf from 'cloudfront';"
    program = parse_program(code, 2)
    assert (program.body, program.imports, program.findings) == (code, (), ())


def test_characters_of_several_bytes_do_not_shift_anything() -> None:
    code = "/* é€😀 */ import cf from 'cloudfront'; var a = 'é€😀';"
    program = parse_program(code, 2)
    assert program.imports == (("cf", "cloudfront"),)
    assert program.body.endswith("var a = 'é€😀';")


@pytest.mark.parametrize(
    "code",
    [
        "function f(...rest) { return rest.length; }",
        "const o = {a, b() { return 1; }, ['c']: 2, get d() { return 3; }};",
        "var a = b ? .5 : 1;",
        "var a = '?.' + `${1}??`;",
        "for (const key in {}) {}",
        "async function handler() { const a = await f(g(1)); return a; }",
        "async function handler() { if (await f()) { return [await g()]; } }",
        "const f = async () => await g(); const o = {g: async function () { await f(); }};",
        "const f = function () { return (x) => ({x}); };",
        "var a = 1_000 + 0x1f + 1e3;",
        "label: for (;;) break label;",
    ],
)
@pytest.mark.rule("CFF-JS2-02", "CFF-JS2-03")
def test_supported_syntax_is_not_refused(code: str) -> None:
    assert fatal(code) == []


def test_a_name_of_ones_own_is_not_absent() -> None:
    own = (
        "function Map() {} var URL = 1; function f(Set) { try "
        "{} catch (Proxy) {} return new Map(Set); }"
    )
    assert parse_program(own, 2).findings == ()
    used = parse_program("var a = {Map: 1}; a.Set = 2; new Map();", 2).findings
    assert [(finding.column, finding.fatal) for finding in used] == [(34, False)]


def test_code_that_is_no_javascript_still_gives_a_program() -> None:
    assert parse_program("function (", 2).body == "function ("
