"""Parameters of multi-tenant distributions as text."""

import pytest

from edgeproxy.distribution.tenants import fill_in, parameters_in, without_parameters


@pytest.mark.parametrize(
    ("text", "names", "filled", "form"),
    [
        ("plain.example.com", [], "plain.example.com", "plain.example.com"),
        ("{{a}}.example.com", ["a"], "1.example.com", "x.example.com"),
        ("/{{a}}/{{b-2}}/x", ["a", "b-2"], "/1/two/x", "/x/x/x"),
        ("/search?name={{a}}", ["a"], "/search?name=1", "/search?name=x"),
        ("{{unknown}}-{{a}}", ["unknown", "a"], "{{unknown}}-1", "x-x"),
        ("{a} {{a b}}", [], "{a} {{a b}}", "{a} {{a b}}"),
    ],
)
def test_parameters_in_a_text(text: str, names: list[str], filled: str, form: str) -> None:
    assert parameters_in(text) == names
    assert fill_in(text, {"a": "1", "b-2": "two"}) == filled
    assert without_parameters(text) == form


def test_a_value_is_not_read_again() -> None:
    assert fill_in("{{a}}", {"a": "{{b}}", "b": "x"}) == "{{b}}"
