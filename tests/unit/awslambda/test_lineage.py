import pytest

from edgeproxy.awslambda.lineage import passed

ROOT = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"


@pytest.mark.rule("LI-232")
def test_the_count_travels_in_a_field_of_the_trace_header() -> None:
    once, first = passed(ROOT, "arn:a")
    twice, second = passed(once, "arn:a")
    assert once.startswith(ROOT + ";Lineage=1:")
    assert once.endswith(":0")
    assert twice.startswith(ROOT + ";Lineage=2:")
    assert (first, second) == (1, 2)


@pytest.mark.rule("LI-230")
def test_each_function_of_a_chain_has_a_count_of_its_own() -> None:
    header, counts = "", []
    for arn in ("arn:a", "arn:b", "arn:a", "arn:c", "arn:a"):
        header, count = passed(header, arn)
        counts.append(count)
    assert counts == [1, 1, 2, 1, 3]


@pytest.mark.parametrize("lineage", ["", "x", "1:zz:3", "1:5ab9e3d2", "9" * 50 + ":5ab9e3d2:1"])
def test_what_has_another_form_counts_for_nothing(lineage: str) -> None:
    header, count = passed(f"{ROOT};Lineage={lineage}", "arn:a")
    assert (header, count) == passed(ROOT, "arn:a")
