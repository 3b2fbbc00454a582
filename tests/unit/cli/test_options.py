"""The option table as a command line."""

import argparse
from pathlib import Path

import pytest

from edgeproxy.cli.options import add_settings, settings_of
from edgeproxy.errors import UsageError
from edgeproxy.options import OPTIONS
from edgeproxy.settings import Settings


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_settings(parser)
    return parser.parse_args(arguments)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_given_is_all_defaults(tmp_path: Path) -> None:
    assert settings_of(parse(), None) == Settings()


def test_every_kind_of_option() -> None:
    settings = settings_of(
        parse(
            *("--viewer-request", "auth.py:check", "--include-body", "--port", "0"),
            *("--origin", "a=b", "--origin", "c=http://d", "--access-log", "logs/x"),
            *("--log-format", "json"),
        ),
        None,
    )
    assert settings.viewer_request == "auth.py:check"
    assert settings.include_body
    assert settings.port == 0
    assert settings.origin == ("a=b", "c=http://d")
    assert settings.access_log == Path("logs/x")
    assert settings.log_format == "json"


def test_help_names_every_option_in_its_group() -> None:
    parser = argparse.ArgumentParser()
    add_settings(parser)
    text = parser.format_help()
    assert all(f"--{option.name}" in text for option in OPTIONS)
    assert all(f"{option.group}:" in text for option in OPTIONS)


def test_a_command_may_take_some_of_them() -> None:
    parser = argparse.ArgumentParser()
    add_settings(parser, only=("viewer-ip",))
    assert parser.parse_args(["--viewer-ip", "192.0.2.1"]).viewer_ip == "192.0.2.1"
    with pytest.raises(SystemExit):
        parser.parse_args(["--port", "1"])


@pytest.mark.parametrize("arguments", [["--port", "many"], ["--log-format", "xml"], ["--nonsense"]])
def test_what_cannot_be_parsed_is_exit_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err


class TestSettingsFile:
    def test_it_lies_beside_the_definition(self, tmp_path: Path) -> None:
        folder = tmp_path / "infra"
        folder.mkdir()
        (folder / "edge.yaml").touch()
        (folder / "edgeproxy.toml").write_text('port = 7000\norigin = ["web=site"]')
        settings = settings_of(parse(), "infra/edge.yaml")
        assert settings.port == 7000
        assert settings.origin == ("web=infra/site",)

    @pytest.mark.parametrize("target", [None, "http://localhost:3000", "site"])
    def test_for_other_targets_it_lies_where_the_command_is_given(
        self, tmp_path: Path, target: str | None
    ) -> None:
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "edgeproxy.toml").write_text("port = 6000")
        (tmp_path / "edgeproxy.toml").write_text("port = 7000")
        assert settings_of(parse(), target).port == 7000

    def test_the_command_line_wins(self, tmp_path: Path) -> None:
        (tmp_path / "edgeproxy.toml").write_text("port = 7000\nquiet = true")
        settings = settings_of(parse("--port", "7001", "--verbose"), None)
        assert (settings.port, settings.verbose, settings.quiet) == (7001, True, False)

    def test_a_mistake_in_it_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "edgeproxy.toml").write_text("prot = 1")
        with pytest.raises(UsageError, match="did you mean 'port'"):
            settings_of(parse(), None)
