import base64
import json
from pathlib import Path

import pytest

from edgeproxy.runtimes.cloudfront_js.engine import CloudFrontJs
from edgeproxy.runtimes.cloudfront_js.outcome import Failed, Location
from edgeproxy.runtimes.cloudfront_js.source_map import SourceMap, inline_source_map

EDGE = Path(__file__).parent.parent / "compiled" / "cloudfront" / "edge.js"


def code_with(document: object) -> str:
    text = base64.b64encode(json.dumps(document).encode()).decode()
    return f"x\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,{text}\n"


def test_places_of_compiled_code() -> None:
    # Line 1: columns 0 and 9 of the code; line 3: column 4, from the second source.
    document = {
        "version": 3,
        "sourceRoot": "/src",
        "sources": ["a.ts", "b.ts"],
        "names": ["n"],
        "mappings": "AAAA,SACEA;;ICAD",
    }
    found = inline_source_map(code_with(document))
    assert found == SourceMap(
        ("/src/a.ts", "/src/b.ts"), (((0, 0, 0, 0), (9, 0, 1, 2)), (), ((4, 1, 1, 1),))
    )
    assert found.original(1, 1) == ("/src/a.ts", 1, 1)
    assert found.original(1, 9) == ("/src/a.ts", 1, 1)
    assert found.original(1, 10) == ("/src/a.ts", 2, 3)
    assert found.original(3, 40) == ("/src/b.ts", 2, 2)
    for line, column in ((0, 1), (2, 1), (3, 4), (4, 1)):
        assert found.original(line, column) is None


@pytest.mark.parametrize(
    "code",
    [
        "x",
        "x\n//# sourceMappingURL=app.js.map",
        "x\n//# sourceMappingURL=data:application/json;base64,!!!!",
        "x\n//# sourceMappingURL=data:application/json;base64,e30=",
        "x\n//# sourceMappingURL=data:application/json;base64,W10=",
        code_with({"version": 3, "sources": [], "mappings": "AAAA"}),
        code_with({"version": 3, "sources": ["a"], "mappings": "A~"}),
        code_with({"version": 3, "sources": ["a"], "mappings": 7}),
        code_with({"version": 3, "sources": ["a"], "mappings": "AAAA"}) + "more();",
    ],
)
def test_what_is_no_map_that_can_be_read(code: str) -> None:
    assert inline_source_map(code) is None


@pytest.mark.parametrize("file", [EDGE, None])
def test_an_error_of_a_run_names_the_line_that_was_written(file: Path | None) -> None:
    engine = CloudFrontJs(
        "edge",
        "cloudfront-js-2.0",
        EDGE.read_text(),
        now=lambda: 0,
        monotonic=lambda: 0,
        file=file,
    )
    outcome = engine.run(b'{"request": {"uri": "/broken"}}')
    assert isinstance(outcome, Failed)
    source = "../src/edge.ts" if file is None else str(EDGE.parent.parent / "src" / "edge.ts")
    assert outcome.location == Location(7, 15, source)
    assert str(outcome.location) == f"{source}:7"


def test_without_a_map_it_is_the_line_of_the_file() -> None:
    code = "function handler(event) {\n  throw new Error('x');\n}"
    for file, shown in ((Path("edge.js"), "edge.js:2"), (None, "line 2")):
        engine = CloudFrontJs(
            "edge", "cloudfront-js-2.0", code, now=lambda: 0, monotonic=lambda: 0, file=file
        )
        outcome = engine.run(b"{}")
        assert isinstance(outcome, Failed)
        assert str(outcome.location) == shown
