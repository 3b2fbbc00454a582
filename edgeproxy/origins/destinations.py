"""Where an origin's bytes really come from.

A definition names origins by the domain they have in production. ``--origin`` maps an origin's ID
or its domain name to a local address or folder; domain names of the project's own function URLs
and load balancers lead to them directly; buckets lie at ``--aws-endpoint S3=URL`` if it is given;
everything else is the real domain. Only the connection is changed: events, Host header, TLS name
and logs keep what the definition says. An S3 endpoint alone gets its own Host, and the bucket as
the first part of the path, which every server that speaks S3 understands.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

from edgeproxy.distribution.aws_names import bucket_of
from edgeproxy.distribution.model import Origin, S3Origin
from edgeproxy.errors import UsageError
from edgeproxy.http.messages import Handler

__all__ = ["Address", "Destination", "Destinations", "Folder", "Local", "parse_mapping"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """An HTTP server. ``base_path`` stands in front of every path and has no final slash."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    base_path: str = ""
    any_certificate: bool = False
    """A loopback address that the user named: its certificate is not checked."""
    gets_own_host: bool = False
    """Host is the server's own authority, whatever the request says."""

    @property
    def authority(self) -> str:
        """Host and, when it is not the scheme's default, port; as in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that answers like an S3 bucket."""

    path: Path


@dataclass(frozen=True, slots=True)
class Local:
    """Something of the same project: a function URL or a load balancer."""

    handler: Handler


Destination: TypeAlias = Address | Folder | Local


class Destinations:
    """Finds the destination of an origin.

    ``mapping`` holds the ``--origin`` options as :func:`parse_mapping` returns them, ``handlers``
    the project's own doors, ``origin_hosts`` what was given with ``--origin-host``; all three by
    origin ID or domain name, and a mapping wins over a handler. ``declared`` are the origins of
    the definition: what holds for the ID of one also holds for its domain name, and not for an
    origin of that ID whose domain an edge function has changed. ``s3_endpoint`` is the URL where
    buckets are. ``certificates`` are those of ``--origin-certificate``, by ARN or origin ID. Raises
    :class:`UsageError` for a target that cannot be used.
    """

    def __init__(
        self,
        mapping: Mapping[str, str],
        *,
        handlers: Mapping[str, Handler],
        origin_hosts: frozenset[str] = frozenset(),
        declared: Iterable[Origin] = (),
        s3_endpoint: str = "",
        certificates: Mapping[str, Path] | None = None,
    ) -> None:
        self._domains: dict[str, set[str]] = {}
        for origin in declared:  # Tenants of a distribution fill in a domain name each.
            self._domains.setdefault(origin.id, set()).add(origin.domain_name.lower())
        found: dict[str, Destination] = {name: Local(handler) for name, handler in handlers.items()}
        found |= {name: _parse_target(name, target) for name, target in mapping.items()}
        self._mapped = {key: found[name] for name in found for key in self._keys(name)}
        self._origin_hosts = {key for name in origin_hosts for key in self._keys(name)}
        self._certificates = certificates or {}
        self._s3 = _parse_url("--aws-endpoint S3", s3_endpoint) if s3_endpoint else None

    def _keys(self, name: str) -> tuple[str, ...]:
        """What an option's ID_OR_DOMAIN stands for: IDs as they are, domain names lower-case."""
        domains = self._domains.get(name)
        return (name.lower(),) if domains is None else (name, *domains)

    def _names(self, origin: Origin) -> tuple[str, ...]:
        domain = origin.domain_name.lower()
        return (domain,) if self.is_moved(origin) else (origin.id, domain)

    def is_moved(self, origin: Origin) -> bool:
        """Whether an edge function has changed the domain of a declared origin."""
        domain = origin.domain_name.lower()
        return domain not in self._domains.get(origin.id, {domain})

    def mapped(self, origin: Origin) -> str | None:
        """Where an origin is mapped to, for people; None for one that is asked where it says."""
        for name in self._names(origin):
            match self._mapped.get(name):
                case Address() as address:
                    return f"{address}{address.base_path}"
                case Folder(path=path):
                    return str(path)
                case Local():
                    return "a door of this edge"
                case None:
                    pass
        if isinstance(origin.config, S3Origin) and self._s3 is not None:
            return f"{self._s3}{self._s3.base_path}"
        return None

    def resolve(self, origin: Origin, viewer_scheme: Literal["http", "https"]) -> Destination:
        """The mapped destination by ID, then by domain name, else the real one (CDN-ORG-08).

        A bucket is asked at the S3 endpoint if there is one, else over the viewer's protocol
        (CDN-S3-05).
        """
        for name in self._names(origin):
            if (mapped := self._mapped.get(name)) is not None:
                return mapped
        config = origin.config
        if isinstance(config, S3Origin):
            bucket = bucket_of(origin.domain_name)
            if self._s3 is not None and bucket:
                base_path = f"{self._s3.base_path}/{bucket}"
                return replace(self._s3, base_path=base_path, gets_own_host=True)
            return Address(viewer_scheme, origin.domain_name, _DEFAULT_PORTS[viewer_scheme])
        match config.protocol_policy:
            case "https-only":
                is_https = True
            case "match-viewer":
                is_https = viewer_scheme == "https"
            case _:
                is_https = False
        if is_https:
            return Address("https", origin.domain_name, config.https_port)
        return Address("http", origin.domain_name, config.http_port)

    def certificate_for(self, origin: Origin) -> Path | None:
        """What an origin with mutual TLS is shown; None when it has none, or none was given."""
        config = origin.config
        if isinstance(config, S3Origin) or not config.client_certificate_arn:
            return None
        given = self._certificates
        return given.get(config.client_certificate_arn) or given.get(origin.id)

    def host_for(self, origin: Origin, address: Address) -> str | None:
        """The Host header that ``--origin-host`` asks for, or None to send the request's own."""
        is_asked = any(name in self._origin_hosts for name in self._names(origin))
        return address.authority if is_asked or address.gets_own_host else None


def parse_mapping(text: str) -> tuple[str, str]:
    """Name and target of an ``ID_OR_DOMAIN=URL_OR_DIR`` option; the target is not judged yet."""
    name, equals, target = text.partition("=")
    if not (name and equals and target):
        raise UsageError(
            f"--origin {text!r} is not of the form ID_OR_DOMAIN=URL_OR_DIR",
            remedy="for example --origin web=http://127.0.0.1:9000",
        )
    return name, target


def _parse_target(name: str, target: str) -> Address | Folder:
    if "://" in target:
        return _parse_url(f"--origin {name}", target)
    folder = Path(target).expanduser()
    if not folder.is_dir():
        raise UsageError(
            f"--origin {name}={target}: there is no folder {folder}",
            remedy="give a URL that begins with http:// or https://, or an existing folder",
        )
    return Folder(folder.resolve())


def _parse_url(option: str, target: str) -> Address:
    try:
        url = urlsplit(target)
        port = url.port
    except ValueError as error:
        raise UsageError(f"{option}={target}: {error}") from error
    if not url.hostname or not _is_plain(url):
        raise UsageError(
            f"{option}={target} is not a URL of scheme, host, port and path",
            remedy="for example http://127.0.0.1:9000/base",
        )
    address = Address(
        "https" if url.scheme == "https" else "http",
        url.hostname,
        _DEFAULT_PORTS[url.scheme] if port is None else port,
        url.path.rstrip("/"),
    )
    return replace(address, any_certificate=_is_loopback(address.host))


def _is_plain(url: SplitResult) -> bool:
    return (
        url.scheme in _DEFAULT_PORTS
        and url.port != 0
        and url.username is None
        and not (url.query or url.fragment)
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
