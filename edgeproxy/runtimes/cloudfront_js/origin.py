"""What the origin helpers of ``cf`` ask for, checked against CFF-ORG and turned into values.

Header names that no custom header may have (CFF-ORG-07) are checked where the lists live, by
:func:`edgeproxy.events.cloudfront_function.check_origin_headers`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

__all__ = [
    "AccessControl",
    "CustomOriginChange",
    "OriginChange",
    "OriginGroupChange",
    "OriginRefused",
    "SelectOrigin",
    "UpdateOrigin",
    "parse_origin_change",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AccessControl:
    """``originAccessControlConfig``; ``enabled`` false switches signing off."""

    enabled: bool
    signing_behavior: str = ""
    signing_protocol: str = ""
    origin_type: str = ""


@dataclass(frozen=True, slots=True)
class CustomOriginChange:
    """``customOriginConfig``; it has no effect on S3 bucket origins (CFF-ORG-11)."""

    port: int
    protocol: str
    ssl_protocols: tuple[str, ...]
    ip_address_type: str = ""


@dataclass(frozen=True, slots=True)
class UpdateOrigin:
    """``updateRequestOrigin``: what is None stays as the assigned origin has it (CFF-ORG-02).

    The Host sent is ``host_header``, else ``domain_name``, else as without the change
    (CFF-ORG-08); the SNI is ``sni``, else that Host (CFF-ORG-09). On an origin group it changes
    the primary only (CFF-ORG-12).
    """

    domain_name: str | None = None
    host_header: str | None = None
    origin_path: str | None = None
    custom_headers: Mapping[str, str] | None = None
    """Lower-case names; empty removes the configured ones (CFF-ORG-06)."""
    connection_attempts: int | None = None
    connection_timeout_s: float | None = None
    read_timeout_s: float | None = None
    response_completion_timeout_s: float | None = None
    keepalive_timeout_s: float | None = None
    origin_shield_region: str | None = None
    """Empty switches Origin Shield off."""
    access_control: AccessControl | None = None
    custom_origin: CustomOriginChange | None = None
    sni: str | None = None
    allowed_certificate_names: tuple[str, ...] | None = None
    is_mtls_off: bool = False


@dataclass(frozen=True, slots=True)
class SelectOrigin:
    """``selectRequestOriginById``: another origin with all its settings (CFF-ORG-14)."""

    origin_id: str
    host_header: str | None = None
    sni: str | None = None
    allowed_certificate_names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class OriginGroupChange:
    """``createRequestOriginGroup``: two members, primary first (CFF-ORG-16, CFF-ORG-17)."""

    members: tuple[SelectOrigin, SelectOrigin]
    status_codes: frozenset[int]
    selection_criteria: str = "default"


OriginChange: TypeAlias = UpdateOrigin | SelectOrigin | OriginGroupChange


class OriginRefused(Exception):
    """A member of an origin change that CloudFront refuses."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


_DNS_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    r"(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
_PATH: Final = re.compile(r"(?!.{256})/[!\"$->@-~]*(?<!/)|")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_S3_SUFFIX: Final = re.compile(r"\.s3[.-]([a-z0-9-]+\.)*amazonaws\.com(\.cn)?\Z")
# CFF-ORG-10, CFF-ORG-11
_SIGNING_BEHAVIORS: Final = ("always", "never", "no-override")
_ORIGIN_TYPES: Final = ("s3", "mediapackagev2", "mediastore", "lambda")
_SSL_PROTOCOLS: Final = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2")
_ADDRESS_TYPES: Final = ("", "ipv4", "ipv6", "dualstack")
_UPDATE_MEMBERS: Final = frozenset(
    {
        "allowedCertificateNames",
        "connectionAttempts",
        "customHeaders",
        "customOriginConfig",
        "domainName",
        "hostHeader",
        "mTLSConfig",
        "originAccessControlConfig",
        "originPath",
        "originShield",
        "sni",
        "timeouts",
    }
)
_MEMBERS_BELOW: Final = {
    "customOriginConfig": ("port protocol sslProtocols ipAddressType", "CFF-ORG-11"),
    "failoverCriteria": ("statusCodes", "CFF-ORG-17"),
    "originAccessControlConfig": (  # region: in no list of AWS's, yet in its example by country
        "enabled region signingBehavior signingProtocol originType",
        "CFF-ORG-10",
    ),
    "originShield": ("enabled region", "CFF-ORG-10"),
    "timeouts": (
        "readTimeout responseCompletionTimeout keepAliveTimeout connectionTimeout",
        "CFF-ORG-03",
    ),
}
_OVERRIDES: Final = frozenset({"allowedCertificateNames", "hostHeader", "sni"})
_FAILOVER_CODES: Final = frozenset({400, 403, 404, 416, 429, 500, 502, 503, 504})


def parse_origin_change(raw: Mapping[str, object]) -> OriginChange:
    """The change behind what the prelude recorded. Raises :class:`OriginRefused`."""
    match raw:
        case {"update": dict(properties)}:
            return _update(properties)
        case {"select": dict(selection)}:
            return _select(selection, "selectRequestOriginById")
        case {"group": dict(group)}:
            return _group(group)
        case _:
            raise OriginRefused("CFF-ORG-03", "The origin helper takes an object.")


def _update(raw: dict[str, object]) -> UpdateOrigin:
    _known(raw, _UPDATE_MEMBERS, "updateRequestOrigin", "CFF-ORG-03")
    timeouts = _object(raw, "timeouts", "CFF-ORG-03") or {}
    read = _number(timeouts, "readTimeout", 1, 120)
    completion = _number(timeouts, "responseCompletionTimeout", read or 1, None)
    domain = _optional(raw, "domainName", _domain)
    custom = _optional(raw, "customOriginConfig", _custom_origin)
    if custom is not None and custom.ip_address_type and domain is None:
        raise OriginRefused(
            "CFF-ORG-11", "ipAddressType can be changed only together with domainName."
        )
    return UpdateOrigin(
        domain_name=domain,
        host_header=_text(raw, "hostHeader"),
        origin_path=_optional(raw, "originPath", _path),
        custom_headers=_optional(raw, "customHeaders", _headers),
        connection_attempts=_number(raw, "connectionAttempts", 1, 3),
        connection_timeout_s=_number(timeouts, "connectionTimeout", 1, 10),
        read_timeout_s=read,
        response_completion_timeout_s=completion,
        keepalive_timeout_s=_number(timeouts, "keepAliveTimeout", 1, 120),
        origin_shield_region=_optional(raw, "originShield", _shield),
        access_control=_optional(raw, "originAccessControlConfig", _access_control),
        custom_origin=custom,
        sni=_text(raw, "sni"),
        allowed_certificate_names=_optional(raw, "allowedCertificateNames", _certificate_names),
        is_mtls_off=_mtls_off(raw),
    )


def _select(raw: dict[str, object], helper: str) -> SelectOrigin:
    _known(raw, frozenset({"originId", "originOverrides"}), helper, "CFF-ORG-16")
    origin_id = raw.get("originId")
    if not isinstance(origin_id, str) or not origin_id:
        raise OriginRefused("CFF-ORG-14", f"{helper} needs the ID of an origin.")
    overrides = _object(raw, "originOverrides", "CFF-ORG-14") or {}
    _known(overrides, _OVERRIDES, "originOverrides", "CFF-ORG-14")
    return SelectOrigin(
        origin_id,
        _text(overrides, "hostHeader"),
        _text(overrides, "sni"),
        _optional(overrides, "allowedCertificateNames", _certificate_names),
    )


def _group(raw: dict[str, object]) -> OriginGroupChange:
    helper = "createRequestOriginGroup"
    _known(raw, frozenset({"originIds", "selectionCriteria", "failoverCriteria"}), helper)
    ids = raw.get("originIds")
    if not isinstance(ids, list) or len(ids) != 2:
        raise OriginRefused("CFF-ORG-16", "originIds must be an array of exactly two origins.")
    # CFF-ORG-16 (U): both an ID and an object with originId are accepted.
    primary, secondary = (
        _select(item if isinstance(item, dict) else {"originId": item}, helper) for item in ids
    )
    match raw.get("failoverCriteria"):
        case {"statusCodes": [_, *_] as codes} if all(code in _FAILOVER_CODES for code in codes):
            status_codes = frozenset(codes)
        case _:
            raise OriginRefused(
                "CFF-ORG-17",
                "failoverCriteria.statusCodes must be an array of failover status codes "
                f"({', '.join(map(str, sorted(_FAILOVER_CODES)))}).",
            )
    criteria = raw.get("selectionCriteria", "default")
    if criteria not in ("default", "media-quality-score"):
        raise OriginRefused(
            "CFF-ORG-17", 'selectionCriteria must be "default" or "media-quality-score".'
        )
    return OriginGroupChange((primary, secondary), status_codes, str(criteria))


def _known(
    raw: Mapping[str, object], names: frozenset[str], where: str, rule: str = "CFF-ORG-17"
) -> None:
    for name in raw:
        if name not in names:
            raise OriginRefused(rule, f'{where} has no property "{name}".')
        below = raw[name]
        if name in _MEMBERS_BELOW and isinstance(below, dict):
            members, rule_below = _MEMBERS_BELOW[name]
            _known(below, frozenset(members.split()), name, rule_below)


def _optional(raw: Mapping[str, object], name: str, parse: Callable[[object], T]) -> T | None:
    return parse(raw[name]) if name in raw else None


def _object(raw: Mapping[str, object], name: str, rule: str) -> dict[str, object] | None:
    value = raw.get(name)
    if value is not None and not isinstance(value, dict):
        raise OriginRefused(rule, f"{name} must be an object.")
    return value


def _text(raw: Mapping[str, object], name: str) -> str | None:
    value = raw.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _is_name(value):
        raise OriginRefused(
            "CFF-ORG-03", f"{name} must be a host name, without port, not an IP address."
        )
    return value


def _is_name(value: str) -> bool:
    # A last label of digits makes an IP address of a name, however the rest is spelled.
    return bool(_DNS_NAME.fullmatch(value)) and not value.rpartition(".")[2].isdecimal()


def _number(raw: Mapping[str, object], name: str, least: int, most: int | None) -> int | None:
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise OriginRefused("CFF-ORG-03", f"{name} must be an integer.")
    if value < least or (most is not None and value > most):
        range_ = f"at least {least}" if most is None else f"from {least} to {most}"
        raise OriginRefused("CFF-ORG-03", f"{name} must be {range_}.")
    return value


def _domain(value: object) -> str:
    refused = OriginRefused(
        "CFF-ORG-05",
        "domainName must be a DNS name of at most 253 characters, without port, not an IP "
        "address; for an S3 bucket at most 128 characters in lower case.",
    )
    if not isinstance(value, str) or not _is_name(value):
        raise refused
    if _S3_SUFFIX.search(value.lower()) and (len(value) > 128 or value != value.lower()):
        raise refused
    return value


def _path(value: object) -> str:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise OriginRefused(
            "CFF-ORG-03",
            "originPath must begin with / and not end with /, percent-encoded, at most 255 "
            "characters.",
        )
    return value


def _headers(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise OriginRefused("CFF-ORG-06", "customHeaders must be an object.")
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(name):
            raise OriginRefused(
                "CFF-ORG-06", f'"{name}" in customHeaders is no header name in lower case.'
            )
        if not isinstance(text, str) or re.search(r"[\x00-\x1f\x7f]", text):
            raise OriginRefused(
                "CFF-ORG-06",
                f'The value of "{name}" in customHeaders must be a string of one line.',
            )
    return value


def _shield(value: object) -> str:
    match value:
        case {"enabled": False}:
            return ""
        case {"enabled": True, "region": str(region)} if region:
            return region
        case _:
            raise OriginRefused(
                "CFF-ORG-10", "originShield needs enabled, and region when it is enabled."
            )


def _access_control(value: object) -> AccessControl:
    match value:
        case {"enabled": False}:
            return AccessControl(enabled=False)
        case {
            "enabled": True,
            "signingBehavior": str(behavior),
            "signingProtocol": "sigv4",
            "originType": str(kind),
        } if behavior in _SIGNING_BEHAVIORS and kind in _ORIGIN_TYPES:
            return AccessControl(True, behavior, "sigv4", kind)
        case _:
            raise OriginRefused(
                "CFF-ORG-10",
                f"originAccessControlConfig needs signingBehavior ({_list(_SIGNING_BEHAVIORS)}), "
                f"signingProtocol (sigv4) and originType ({_list(_ORIGIN_TYPES)}).",
            )


def _custom_origin(value: object) -> CustomOriginChange:
    match value:
        case {
            "port": int(port),
            "protocol": "http" | "https" as protocol,
            "sslProtocols": [*ssl],
            **rest,
        } if (
            not isinstance(port, bool)
            and 0 < port < 65_536
            and all(name in _SSL_PROTOCOLS for name in ssl)
            and rest.get("ipAddressType", "") in _ADDRESS_TYPES
        ):
            return CustomOriginChange(
                port, protocol, tuple(ssl), str(rest.get("ipAddressType", ""))
            )
        case _:
            raise OriginRefused(
                "CFF-ORG-11",
                "customOriginConfig needs port, protocol (http, https) and sslProtocols "
                f"({_list(_SSL_PROTOCOLS)}); ipAddressType is ipv4, ipv6 or dualstack.",
            )


def _certificate_names(value: object) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or len(value) > 20
        or not all(isinstance(name, str) and 0 < len(name) <= 64 for name in value)
    ):
        raise OriginRefused(
            "CFF-ORG-03",
            "allowedCertificateNames must be at most 20 names of at most 64 characters.",
        )
    return tuple(value)


def _mtls_off(raw: Mapping[str, object]) -> bool:
    if raw.get("mTLSConfig", "off") != "off":
        raise OriginRefused("CFF-ORG-19", 'mTLSConfig can only be "off".')
    return "mTLSConfig" in raw


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(words)
