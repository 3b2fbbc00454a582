"""The origin object of origin events, and the origin that a function left in it.

Only an origin-request function can change the origin (LE-ORG-01); the new one need not be
configured in the distribution (LE-ORG-02). Fields that a function leaves alone are not judged.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard

from edgeproxy.distribution.model import CustomOrigin, Origin, S3Origin
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.distribution.quotas import MAX_KEEPALIVE_TIMEOUT_S, MAX_RESPONSE_TIMEOUT_S
from edgeproxy.events.lambda_edge_headers import (
    header_map,
    json_text,
    json_type,
    read_header_map,
    refuse_names,
)
from edgeproxy.events.lambda_edge_judgement import InvalidKind, Refused
from edgeproxy.events.restrictions import is_disallowed, is_not_addable_to_origin
from edgeproxy.exchange.model import Finding
from edgeproxy.http.headers import Headers

__all__ = ["judge_origin", "origin_object"]

_MAX_TIMEOUT_S: Final = {
    "readTimeout": MAX_RESPONSE_TIMEOUT_S,
    "keepaliveTimeout": MAX_KEEPALIVE_TIMEOUT_S,
}
_OAI: Final = "origin-access-identity"
_SSL_PROTOCOLS: Final = ("TLSv1.2", "TLSv1.1", "TLSv1", "SSLv3")
_S3_REGION: Final = re.compile(r"\.s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com")
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*(?!\d+\.?\Z){_LABEL}\.?", re.ASCII)
"""A last label of digits makes an IP address of a name, however the rest is spelled."""
_ENCODED_PATH: Final = re.compile(r"(?:[/!$&'()*+,;=:@\w.~-]|%[0-9A-Fa-f]{2})*", re.ASCII)

# What stands for a field that a function which builds its own origin leaves out. The real
# service may refuse such an origin (LE-RET-07), so each use is reported.
_CUSTOM_DEFAULTS: Final[Mapping[str, object]] = {
    "keepaliveTimeout": 5,
    "path": "",
    "protocol": "https",
    "readTimeout": 30,
    "sslProtocols": ["TLSv1.2"],
}
_S3_DEFAULTS: Final[Mapping[str, object]] = {"authMethod": "none", "path": ""}


def origin_object(origin: Origin, scheme: str) -> Mapping[str, Mapping[str, Any]]:
    """The ``origin`` member of an event (LE-EVT-16 to 20); only for reading.

    ``scheme`` is the viewer's, for origins that match it.
    """
    return _objects(origin)[scheme]


@PreparedOnce
def _objects(origin: Origin) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """The object by the viewer's scheme."""
    return {scheme: _object(origin, scheme) for scheme in ("http", "https")}


def _object(origin: Origin, scheme: str) -> Mapping[str, Mapping[str, Any]]:
    # LE-ORG-09: 0 stands for the default.
    completion = _number(origin.response_completion_timeout_s or 0)
    match origin.config:
        case CustomOrigin() as custom:
            protocol = custom.protocol_policy.removesuffix("-only")
            if protocol == "match-viewer":
                protocol = scheme
            return {
                "custom": {
                    "customHeaders": header_map(origin.custom_headers),
                    "domainName": origin.domain_name,
                    "keepaliveTimeout": _number(custom.keepalive_timeout_s),
                    "path": origin.origin_path,
                    "port": custom.https_port if protocol == "https" else custom.http_port,
                    "protocol": protocol,
                    "readTimeout": _number(custom.read_timeout_s),
                    "responseCompletionTimeout": completion,
                    "sslProtocols": list(custom.ssl_protocols),
                }
            }
        case S3Origin() as s3:
            region = _S3_REGION.search(origin.domain_name)
            return {
                "s3": {
                    # Origin access control shows as "none" (LE-EVT-19).
                    "authMethod": _OAI if s3.origin_access_identity else "none",
                    "customHeaders": header_map(origin.custom_headers),
                    "domainName": origin.domain_name,
                    "path": origin.origin_path,
                    "region": region[1] if region else "us-east-1",
                    "readTimeout": _number(s3.read_timeout_s),
                    "responseCompletionTimeout": completion,
                }
            }


def judge_origin(
    returned: object, origin: Origin, scheme: str, notes: list[Finding]
) -> Origin | None:
    """The origin that follows from ``returned``, or None when it is unchanged.

    Raises :class:`Refused`; what is tolerated is added to ``notes``.
    """
    event = origin_object(origin, scheme)
    if returned == event:
        return None
    if not isinstance(returned, dict):
        raise Refused(
            InvalidKind.ORIGIN,
            "LE-ORG-03",
            f"request.origin must be an object, not {json_type(returned)}",
            "leave request.origin out to keep it, or give {'custom': {...}} or {'s3': {...}}",
        )
    kinds = [kind for kind in ("custom", "s3") if kind in returned]
    if len(kinds) != 1:
        raise Refused(
            InvalidKind.ORIGIN,
            "LE-ORG-03",
            "request.origin must hold exactly one of 'custom' and 's3', but holds "
            + (" and ".join(kinds) or "neither"),
            "delete the one that is not meant",
        )
    kind = kinds[0]
    if not isinstance(returned[kind], dict):
        raise Refused(
            InvalidKind.ORIGIN,
            "LE-RET-07",
            f"request.origin.{kind} must be an object, not {json_type(returned[kind])}",
            f"give request.origin.{kind} the fields that the event shows",
        )
    fields = _Fields(f"request.origin.{kind}", returned[kind], event.get(kind, {}), notes)
    return (_custom if kind == "custom" else _s3)(fields, origin)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of a returned origin beside those that the event showed."""

    where: str
    returned: Mapping[str, Any]
    event: Mapping[str, Any]
    """Empty when the origin had been of the other kind."""
    notes: list[Finding]

    def get(self, name: str, defaults: Mapping[str, object]) -> object:
        """The value of ``name``; a missing one is replaced and reported."""
        if name in self.returned:
            return self.returned[name]
        value = self.event.get(name, defaults[name])
        self.notes.append(
            Finding(
                "LE-RET-07",
                f"{self.where}.{name} is missing; {value!r} is taken, but AWS may refuse it",
                "return every field of the origin",
            )
        )
        return value

    def is_new(self, name: str, value: object) -> bool:
        """Whether the function set ``name`` to something else than the event showed."""
        return name not in self.event or self.event[name] != value

    def refused(self, rule: str, name: str, value: object, must: str) -> Refused:
        return Refused(
            InvalidKind.ORIGIN,
            rule,
            f"{self.where}.{name} must be {must}, but is {json_text(value)}",
            f"set {name} to such a value, or return it as the event had it",
        )

    def path(self, defaults: Mapping[str, object]) -> str:
        """The origin path (LE-ORG-06)."""
        path = self.get("path", defaults)
        if not isinstance(path, str) or (
            self.is_new("path", path) and path and (not path.startswith("/") or path.endswith("/"))
        ):
            must = "empty, or begin with '/' and not end with it"
            raise self.refused("LE-ORG-06", "path", path, must)
        return path

    def timeout(self, name: str, defaults: Mapping[str, object]) -> float:
        """A timeout in seconds (LE-ORG-08)."""
        value = self.get(name, defaults)
        if not self.is_new(name, value):
            return float(self.event[name])
        if not _is_integer(value) or not 1 <= value <= _MAX_TIMEOUT_S[name]:
            raise self.refused(
                "LE-ORG-08", name, value, f"a whole number from 1 to {_MAX_TIMEOUT_S[name]}"
            )
        return value

    def completion_timeout(self, read_s: float) -> float | None:
        """``responseCompletionTimeout``; None for the default (LE-ORG-09)."""
        name = "responseCompletionTimeout"
        value = self.returned.get(name, 0)
        if not _is_integer(value) or 0 < value < read_s or value < 0:
            raise self.refused("LE-ORG-09", name, value, f"0, or at least readTimeout ({read_s:g})")
        return value or None

    def custom_headers(self, before: Headers) -> Headers:
        """``customHeaders`` (LE-ORG-11, LE-ORG-13)."""
        returned = self.returned.get("customHeaders", {})
        if not self.is_new("customHeaders", returned):
            return before
        where = f"{self.where}.customHeaders"
        lines = read_header_map(returned, where, self.notes)
        refuse_names(lines, is_disallowed, "LE-ORG-11", where)
        refuse_names(lines, is_not_addable_to_origin, "LE-ORG-13", where)
        return Headers(line for several in lines.values() for line in several)


def _custom(fields: _Fields, origin: Origin) -> Origin:
    before = origin.config if isinstance(origin.config, CustomOrigin) else CustomOrigin()
    name = fields.returned.get("domainName")
    if not isinstance(name, str) or (fields.is_new("domainName", name) and not _is_host(name)):
        must = "a DNS name of at most 253 characters, without port, and no IP address"
        raise fields.refused("LE-ORG-05", "domainName", name, must)
    protocol = fields.get("protocol", _CUSTOM_DEFAULTS)
    if protocol not in ("http", "https"):
        raise fields.refused("LE-ORG-07", "protocol", protocol, "'http' or 'https'")
    port = fields.get("port", {"port": 443 if protocol == "https" else 80})
    if not _is_integer(port) or (
        fields.is_new("port", port) and port not in (80, 443) and not 1024 <= port <= 65535
    ):
        raise fields.refused("LE-ORG-07", "port", port, "80, 443 or from 1024 to 65535")
    protocols = fields.get("sslProtocols", _CUSTOM_DEFAULTS)
    if not isinstance(protocols, list) or (
        fields.is_new("sslProtocols", protocols)
        and not all(version in _SSL_PROTOCOLS for version in protocols)
    ):
        must = f"an array with values from {', '.join(_SSL_PROTOCOLS)}"
        raise fields.refused("LE-ORG-10", "sslProtocols", protocols, must)
    path = fields.path(_CUSTOM_DEFAULTS)
    if fields.is_new("path", path) and (len(path) > 255 or not _ENCODED_PATH.fullmatch(path)):
        must = "URL-encoded, of at most 255 characters"
        raise fields.refused("LE-ORG-06", "path", path, must)
    read_s = fields.timeout("readTimeout", _CUSTOM_DEFAULTS)
    return replace(
        origin,
        domain_name=name,
        origin_path=path,
        custom_headers=fields.custom_headers(origin.custom_headers),
        response_completion_timeout_s=fields.completion_timeout(read_s),
        access_control=None if origin.is_s3 else origin.access_control,
        config=CustomOrigin(
            protocol_policy=f"{protocol}-only",
            http_port=port if protocol == "http" else before.http_port,
            https_port=port if protocol == "https" else before.https_port,
            ssl_protocols=tuple(protocols),
            read_timeout_s=read_s,
            keepalive_timeout_s=fields.timeout("keepaliveTimeout", _CUSTOM_DEFAULTS),
        ),
    )


def _s3(fields: _Fields, origin: Origin) -> Origin:
    identity = origin.config.origin_access_identity if isinstance(origin.config, S3Origin) else ""
    name = fields.returned.get("domainName")
    if not isinstance(name, str) or (fields.is_new("domainName", name) and not _is_bucket(name)):
        must = "the bucket's DNS name in lower case, of at most 128 characters"
        raise fields.refused("LE-ORG-05", "domainName", name, must)
    method = fields.get("authMethod", _S3_DEFAULTS)
    if method not in (_OAI, "none"):
        raise fields.refused("LE-ORG-14", "authMethod", method, f"{_OAI!r} or 'none'")
    if method == _OAI and not identity:
        must = "'none', since the origin had no access identity before"
        raise fields.refused("LE-ORG-14", "authMethod", method, must)
    region = fields.returned.get("region", "")
    if not isinstance(region, str) or (method == _OAI and not region):
        raise fields.refused("LE-ORG-14", "region", region, f"given with authMethod {_OAI!r}")
    # Newer than the other fields: functions written before them leave it out rightly.
    read_s = fields.timeout("readTimeout", _S3_DEFAULTS) if "readTimeout" in fields.returned else 30
    return replace(
        origin,
        domain_name=name,
        origin_path=fields.path(_S3_DEFAULTS),
        custom_headers=fields.custom_headers(origin.custom_headers),
        response_completion_timeout_s=fields.completion_timeout(read_s),
        access_control=origin.access_control if origin.is_s3 else None,
        config=S3Origin(identity if method == _OAI else "", read_s),
    )


def _is_host(name: str) -> bool:
    return len(name) <= 253 and _DNS_NAME.fullmatch(name) is not None


def _is_bucket(name: str) -> bool:
    return len(name) <= 128 and name == name.lower() and _DNS_NAME.fullmatch(name) is not None


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(seconds: float) -> float:
    """A whole number as one, since JSON readers tell 5 from 5.0."""
    return int(seconds) if seconds == int(seconds) else seconds
