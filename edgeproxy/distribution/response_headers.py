"""What a response headers policy does to a response's headers (CDN-CFG-190)."""

from dataclasses import dataclass

__all__ = ["CorsConfig", "PolicyHeader", "ResponseHeadersPolicy", "ServerTiming"]


@dataclass(frozen=True, slots=True)
class PolicyHeader:
    """A header that a response headers policy adds, and whether it replaces the origin's."""

    name: str
    value: str
    override: bool


@dataclass(frozen=True, slots=True)
class CorsConfig:
    """``CorsConfig`` (CDN-CFG-190). ``max_age_s`` is None when not configured."""

    allow_origins: tuple[str, ...]
    allow_headers: tuple[str, ...]
    allow_methods: tuple[str, ...]
    allow_credentials: bool
    origin_override: bool
    expose_headers: tuple[str, ...] = ()
    max_age_s: int | None = None
    exposes_to_preflights_only: bool = False
    """As AWS's own policies with preflight do; others expose headers to all CORS requests."""


@dataclass(frozen=True, slots=True)
class ServerTiming:
    """``ServerTimingHeadersConfig``; ``sampling_rate`` is in percent."""

    enabled: bool
    sampling_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class ResponseHeadersPolicy:
    """``ResponseHeadersPolicyConfig``.

    ``security_headers`` holds the security headers already in their final text form.
    """

    name: str
    cors: CorsConfig | None = None
    security_headers: tuple[PolicyHeader, ...] = ()
    custom_headers: tuple[PolicyHeader, ...] = ()
    remove_headers: tuple[str, ...] = ()
    server_timing: ServerTiming = ServerTiming(enabled=False)
    id: str = ""
