"""Options from a table, an ``edgeproxy.toml`` or the command line become one checked value."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from edgeproxy.errors import UsageError
from edgeproxy.options import OPTIONS
from edgeproxy.settings import Settings, read_settings_file, settings_from


def read(folder: Path, text: str) -> dict[str, object]:
    file = folder / "edgeproxy.toml"
    file.write_text(text, "utf-8")
    return read_settings_file(file)


def test_every_option_has_a_setting_and_the_reverse() -> None:
    assert {option.key for option in OPTIONS} == {f.name for f in fields(Settings)} - {"base"}


def test_names_are_unique_and_fit_for_a_command_line() -> None:
    names = [option.name for option in OPTIONS]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)


@pytest.mark.rule("LE-LIM-09")
def test_defaults_listen_on_loopback_only(tmp_path: Path) -> None:
    settings = settings_from({}, {})
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.control_host, settings.control_port) == ("127.0.0.1", 8081)
    assert settings.account_concurrency == 1000
    assert settings.state_dir == Path(".edgeproxy")


class TestFile:
    def test_every_kind_of_value(self, tmp_path: Path) -> None:
        values = read(
            tmp_path,
            'include_body = true\nport = 0\nlog_format = "json"\nkvs = ["a=b.json"]\n'
            'viewer_country = "DE"\naccess_log = "logs/access.log"\n',
        )
        assert values == {
            "include_body": True,
            "port": 0,
            "log_format": "json",
            "kvs": (f"a={tmp_path / 'b.json'}",),
            "viewer_country": "DE",
            "access_log": tmp_path / "logs/access.log",
        }

    @pytest.mark.parametrize(
        ("key", "value", "expected"),
        [
            ("viewer_request", "auth.py", "{folder}/auth.py"),
            ("viewer_request", "auth.py:check", "{folder}/auth.py:check"),
            ("viewer_request", "/srv/auth.py", "/srv/auth.py"),
            ("viewer_request_cff", "rewrite.js", "{folder}/rewrite.js"),
            ("cache_policy", "CachingDisabled", "CachingDisabled"),
            ("host", "0.0.0.0", "0.0.0.0"),
            ("state_dir", ".state", "{folder}/.state"),
            ("state_dir", "/var/edge", "/var/edge"),
        ],
    )
    def test_relative_paths_start_from_the_file_s_folder(
        self, tmp_path: Path, key: str, value: str, expected: str
    ) -> None:
        values = read(tmp_path, f'{key} = "{value}"')
        assert str(values[key]) == expected.format(folder=tmp_path)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("web=site", "web={folder}/site"),
            ("web=/srv/site", "web=/srv/site"),
            ("web=http://localhost:3000", "web=http://localhost:3000"),
            ("web=http://localhost:3000/a=b", "web=http://localhost:3000/a=b"),
            ("web=year=2026", "web={folder}/year=2026"),
            ("web", "web"),
            ("web=", "web="),
        ],
    )
    def test_the_target_of_a_mapping_is_a_path_too(
        self, tmp_path: Path, value: str, expected: str
    ) -> None:
        wanted = expected.format(folder=tmp_path)
        assert read(tmp_path, f'origin = ["{value}"]') == {"origin": (wanted,)}

    def test_a_list_of_one_may_be_a_string(self, tmp_path: Path) -> None:
        assert read(tmp_path, 'origin_host = "web"') == {"origin_host": ("web",)}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("port = ", "is not valid TOML"),
            ('port = "8080"', "port: expected a whole number, found '8080'"),
            ("port = true", "port: expected a whole number"),
            ("include_body = 1", "include_body: expected true or false"),
            ("host = 1", "host: expected a string"),
            ("access_log = 1", "access_log: expected a path"),
            ("origin = [1]", "origin: expected a list of strings"),
            ('log_format = "xml"', "log_format: 'xml' is not one of text, json"),
            ("poort = 1", "unknown key 'poort' (did you mean 'port'?)"),
            ("no-reload = true", "did you mean 'no_reload'?"),
            ("[server]\nport = 1", "unknown key 'server'"),
            ('base = "/"', "unknown key 'base'"),
        ],
    )
    def test_a_mistake_names_file_and_key(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(UsageError) as caught:
            read(tmp_path, text)
        assert str(tmp_path / "edgeproxy.toml") in str(caught.value)
        assert message in str(caught.value)

    def test_a_file_that_is_not_text(self, tmp_path: Path) -> None:
        file = tmp_path / "edgeproxy.toml"
        file.write_bytes(b"\xff\xfe")
        with pytest.raises(UsageError, match="not valid TOML"):
            read_settings_file(file)

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read"):
            read_settings_file(tmp_path)


class TestPrecedence:
    def test_the_command_line_wins_over_the_file_over_the_default(self, tmp_path: Path) -> None:
        settings = settings_from(
            {"port": 1, "control_port": 2, "origin": ("a=b",)},
            {"port": 3, "origin": ("c=d",), "host": None},
        )
        assert (settings.port, settings.control_port) == (3, 2)
        assert settings.origin == ("c=d",)
        assert settings.host == "127.0.0.1"

    @pytest.mark.parametrize(
        ("in_file", "given"),
        [("lenient", "strict"), ("strict", "lenient"), ("verbose", "quiet"), ("quiet", "verbose")],
    )
    def test_a_flag_wins_over_its_opposite_too(
        self, tmp_path: Path, in_file: str, given: str
    ) -> None:
        settings = settings_from({in_file: True}, {given: True})
        assert getattr(settings, given)
        assert not getattr(settings, in_file)

    def test_what_is_no_option_is_left_alone(self, tmp_path: Path) -> None:
        given = {"command": "dev", "base": "/", "target": "."}
        assert settings_from({}, given) == Settings()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"port": 65536}, "--port 65536 is not a port"),
        ({"control_port": -1}, "--control-port -1 is not a port"),
        ({"port": 8081}, "both 8081"),
        ({"account_concurrency": 0}, "--account-concurrency must be at least 1"),
        ({"provisioned_concurrency": 0}, "--provisioned-concurrency must be at least 1"),
        ({"request_rate": 0}, "--request-rate must be at least 1"),
        ({"scaling_rate": -1}, "--scaling-rate must be at least 1"),
        ({"cache_size_mb": 0}, "--cache-size-mb must be at least 1"),
        ({"strict": True, "lenient": True}, "exclude each other"),
        ({"verbose": True, "quiet": True}, "exclude each other"),
        ({"host": ""}, "cannot be empty"),
        ({"control_host": ""}, "cannot be empty"),
        ({"viewer_country": "Germany"}, "--viewer-country 'Germany' is not a country code"),
        ({"viewer_country": "Ä1"}, "is not a country code"),
        ({"viewer_ip": "1.2.3"}, "--viewer-ip: '1.2.3'"),
    ],
)
def test_impossible_values_are_refused(
    tmp_path: Path, values: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        settings_from({}, values)


@pytest.mark.parametrize(
    "values",
    [
        {"port": 0, "control_port": 0},
        {"port": 8081, "host": "127.0.0.2"},
        {"viewer_ip": "2001:db8::1", "viewer_country": "de"},
    ],
)
def test_unusual_values_are_taken(tmp_path: Path, values: dict[str, object]) -> None:
    settings_from({}, values)
