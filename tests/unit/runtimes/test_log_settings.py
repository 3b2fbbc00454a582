import pytest

from edgeproxy.runtimes.log_settings import LogSettings, log_group


@pytest.mark.rule("LE-LOG-01", "LE-LOG-02")
@pytest.mark.parametrize(
    ("custom", "at_edge", "elsewhere"),
    [
        ("", "/aws/lambda/us-east-1.f", "/aws/lambda/f"),
        ("/MyLogGroup", "/MyLogGroup", "/MyLogGroup"),
        ("/aws/lambda/f", "/aws/lambda/us-east-1.f", "/aws/lambda/f"),
    ],
)
def test_the_group_of_a_function(custom: str, at_edge: str, elsewhere: str) -> None:
    settings = LogSettings(group=custom)
    assert log_group("f", settings, edge=True) == at_edge
    assert log_group("f", settings, edge=False) == elsewhere
