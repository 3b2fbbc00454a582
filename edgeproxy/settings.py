"""How this process runs: the options of ``edgeproxy dev``, from the command line or a file.

:mod:`edgeproxy.options` has the table of them. What the user *declares* (distributions,
functions) is not here but in the project.
"""

import difflib
import ipaddress
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeproxy.distribution.logs import DELIVERY_FIELDS
from edgeproxy.errors import Place, UsageError
from edgeproxy.http.location import objection
from edgeproxy.option import Kind, Option
from edgeproxy.options import OPTIONS

__all__ = ["Settings", "read_settings_file", "settings_from"]


@dataclass(frozen=True)
class Settings:
    """The values of all options, with their defaults."""

    viewer_request: str = ""
    origin_request: str = ""
    origin_response: str = ""
    viewer_response: str = ""
    viewer_request_cff: str = ""
    viewer_response_cff: str = ""
    include_body: bool = False
    cache_policy: str = ""
    origin_request_policy: str = ""
    origin: tuple[str, ...] = ()
    origin_host: tuple[str, ...] = ()
    origin_certificate: tuple[str, ...] = ()
    list_folders: bool = False
    aws_endpoint: tuple[str, ...] = ()
    kvs: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    public_key: tuple[str, ...] = ()
    trust_store: tuple[str, ...] = ()
    field_level_encryption: tuple[str, ...] = ()
    function_url: tuple[str, ...] = ()
    alb: tuple[str, ...] = ()
    multi_value_headers: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    https_port: int | None = None
    control_host: str = "127.0.0.1"
    control_port: int = 8081
    control_name: tuple[str, ...] = ()
    history: int = 1000
    experiments: Path | None = None
    endpoints_file: Path | None = None
    viewer_country: str = ""
    viewer_ip: str = ""
    viewer_location: tuple[str, ...] = ()
    geo_database: tuple[str, ...] = ()
    access_log: Path | None = None
    access_log_format: str = "w3c"
    access_log_fields: str = ""
    standard_logs: Path | None = None
    realtime_logs: Path | None = None
    log_dir: Path | None = None
    otlp_endpoint: str = ""
    log_format: str = "text"
    verbose: bool = False
    open: bool = False
    overlay: bool = False
    quiet: bool = False
    debug_function: tuple[str, ...] = ()
    iam: str = "off"
    access_key: tuple[str, ...] = ()
    kms_key: tuple[str, ...] = ()
    no_reload: bool = False
    state_dir: Path = Path(".edgeproxy")
    cache_store: str = "memory"
    cache_size_mb: int = 256
    regional_cache: str = "off"
    account_concurrency: int = 1000
    provisioned_concurrency: int | None = None
    request_rate: int | None = None
    scaling_rate: int | None = None
    sticky_alias: str = ""
    seed: int | None = None
    lenient: bool = False
    strict: bool = False


_MOST_HISTORY = 100_000
_BY_KEY = {option.key: option for option in OPTIONS}
_OPPOSITES = {"strict": "lenient", "lenient": "strict", "verbose": "quiet", "quiet": "verbose"}
"""Flags that exclude each other; one on the command line overrules the other of the file."""


def read_settings_file(path: Path) -> dict[str, object]:
    """The keys and values of an ``edgeproxy.toml``, checked.

    Relative paths in it start from its own folder. Raises :class:`UsageError`.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", place=Place(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"is not valid TOML: {error}", place=Place(path)) from error
    checked: dict[str, object] = {}
    for key, value in values.items():
        option = _BY_KEY.get(key)
        if option is None:
            near = difflib.get_close_matches(key, _BY_KEY, 1)
            raise UsageError(
                f"unknown key {key!r}",
                place=Place(path, path=key),
                remedy=f"did you mean {near[0]!r}?" if near else "see `edgeproxy dev --help`",
            )
        checked[key] = _checked(option, value, path)
    return checked


def _checked(option: Option, value: object, path: Path) -> object:
    place = Place(path, path=option.key)
    match option.kind:
        case Kind.FLAG if isinstance(value, bool):
            return value
        case Kind.INTEGER if isinstance(value, int) and not isinstance(value, bool):
            return value
        case Kind.TEXT if isinstance(value, str):
            if option.choices and value not in option.choices:
                raise UsageError(
                    f"{value!r} is not one of {', '.join(option.choices)}", place=place
                )
            return _from_folder(option, value, path.parent)
        case Kind.PATH if isinstance(value, str):
            return path.parent / value
        case Kind.LIST if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(_from_folder(option, item, path.parent) for item in value)
        case Kind.LIST if isinstance(value, str):
            return (_from_folder(option, value, path.parent),)
    raise UsageError(f"expected {option.kind}, found {value!r}", place=place)


def _from_folder(option: Option, value: str, folder: Path) -> str:
    """A value with the path in it made to start from the settings file's folder."""
    name, equals, target = value.partition("=") if "=" in option.metavar else ("", "", value)
    is_path = "FILE" in option.metavar or "DIR" in option.metavar
    if not is_path or "://" in target or not target:
        return value
    return f"{name}{equals}{folder / target}"


def settings_from(
    from_file: Mapping[str, object], from_command_line: Mapping[str, object]
) -> Settings:
    """One value for each option: the command line wins over the file, the file over the default.

    Raises :class:`UsageError` for values that contradict each other or are out of range.
    """
    given = {k: v for k, v in from_command_line.items() if k in _BY_KEY and v is not None}
    overruled = {_OPPOSITES[key] for key in given.keys() & _OPPOSITES.keys() if given[key]}
    values = {key: value for key, value in from_file.items() if key not in overruled} | given
    settings = Settings(**values)  # type: ignore[arg-type]
    for check in _CHECKS:
        check(settings)
    return settings


def _listeners_are_possible(settings: Settings) -> None:
    # An empty host would mean every interface of the machine, which has to be said.
    if not (settings.host and settings.control_host):
        raise UsageError("--host and --control-host cannot be empty", remedy="such as 0.0.0.0")
    for name in ("port", "control_port"):
        if not 0 <= getattr(settings, name) <= 65535:
            raise UsageError(
                f"--{name.replace('_', '-')} {getattr(settings, name)} is not a port",
                remedy="0 to 65535; 0 takes a free one",
            )
    if settings.port == settings.control_port != 0 and settings.host == settings.control_host:
        raise UsageError(
            f"--port and --control-port are both {settings.port}",
            remedy="give one of them another port",
        )


def _amounts_are_positive(settings: Settings) -> None:
    for name in (
        "cache_size_mb",
        "account_concurrency",
        "provisioned_concurrency",
        "request_rate",
        "scaling_rate",
    ):
        amount = getattr(settings, name)
        if amount is not None and amount < 1:
            raise UsageError(f"--{name.replace('_', '-')} must be at least 1")


def _history_is_bounded(settings: Settings) -> None:
    if not 0 <= settings.history <= _MOST_HISTORY:
        raise UsageError(
            f"--history {settings.history} is not a number from 0 to {_MOST_HISTORY}",
            remedy="0 keeps none; each request kept takes some KB of memory",
        )


def _store_can_be_chosen(settings: Settings) -> None:
    schemes = ("redis://", "rediss://", "unix://", "valkey://", "valkeys://")
    choice = settings.cache_store
    if choice not in ("memory", "disk") and not choice.startswith(schemes):
        raise UsageError(
            # Its value is not told: there may be a password in it.
            "--cache-store is not memory, disk or the URL of a Redis server",
            remedy="such as redis://localhost:6379/0; rediss:// is over TLS, unix:// a socket",
        )


def _flags_do_not_clash(settings: Settings) -> None:
    for name, opposite in _OPPOSITES.items():
        if getattr(settings, name) and getattr(settings, opposite):
            raise UsageError(f"--{name} and --{opposite} exclude each other")


def _viewer_is_possible(settings: Settings) -> None:
    if settings.viewer_ip:
        try:
            ipaddress.ip_address(settings.viewer_ip)
        except ValueError as error:
            raise UsageError(f"--viewer-ip: {error}") from error
    country = settings.viewer_country
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise UsageError(
            f"--viewer-country {country!r} is not a country code",
            remedy="two letters of ISO 3166-1, such as DE",
        )
    told: set[str] = set()
    for text in settings.viewer_location:
        name, equals, value = text.partition("=")
        wrong = objection(name, value) or ("is told twice" if name in told else "")
        if not equals:
            wrong = "is not of the form NAME=VALUE"
        if wrong:
            raise UsageError(
                f"--viewer-location {text!r} {wrong}",
                remedy="such as city=Detroit; --viewer-country says the country",
            )
        told.add(name)


def _log_fields_are_known(settings: Settings) -> None:
    for name in settings.access_log_fields.split(",") if settings.access_log_fields else ():
        if name not in DELIVERY_FIELDS:
            near = difflib.get_close_matches(name, DELIVERY_FIELDS, 1)
            raise UsageError(
                f"--access-log-fields: CloudFront's standard logs have no field {name!r}",
                rule="CDN-LOG-05",
                remedy=f"did you mean {near[0]!r}?" if near else ", ".join(DELIVERY_FIELDS),
            )
    if settings.access_log is None:
        for option in ("access_log_fields", "access_log_format"):
            if getattr(settings, option) != getattr(Settings, option):
                raise UsageError(f"--{option.replace('_', '-')} needs --access-log FILE")


def _collector_can_be_asked(settings: Settings) -> None:
    endpoint = settings.otlp_endpoint
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise UsageError(
            f"--otlp-endpoint {endpoint!r} is not a URL of HTTP",
            remedy="such as http://localhost:4318; OTLP over gRPC is not spoken",
        )


_CHECKS: tuple[Callable[[Settings], None], ...] = (
    _listeners_are_possible,
    _amounts_are_positive,
    _history_is_bounded,
    _store_can_be_chosen,
    _flags_do_not_clash,
    _viewer_is_possible,
    _log_fields_are_known,
    _collector_can_be_asked,
)
