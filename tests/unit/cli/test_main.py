"""The command line as a whole: errors are lines that a terminal cannot act on."""

import pytest

from edgeproxy.cli import main


def test_an_error_quotes_what_was_given_and_nothing_acts_on_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "no\x1b[31m\x9bsuch.yaml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("edgeproxy: ")
    assert "no\\x1b[31m\\x9bsuch.yaml" in said
    assert said.rstrip("\n").isprintable()
