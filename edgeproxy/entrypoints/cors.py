"""What the service of function URLs does about CORS (FU-100 to FU-100j)."""

from edgeproxy.awslambda.model import Cors
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request

__all__ = ["answer_headers", "is_preflight", "preflight_headers"]


def is_preflight(request: Request) -> bool:
    """Whether a browser asks for permission; the function does not run then (FU-100b)."""
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def preflight_headers(cors: Cors, request: Request) -> list[tuple[str, str]]:
    """The headers of a preflight's answer; none when anything is not allowed (FU-100e, UNSURE)."""
    method = request.headers.get("Access-Control-Request-Method")
    wanted = _names(request.headers)
    allowed = {name.lower() for name in cors.allow_headers}
    if (
        not _allows_origin(cors, request)
        or not {method, "*"} & set(cors.allow_methods)
        or ("*" not in allowed and not wanted <= allowed)
    ):
        return []
    lines = _origin_lines(cors, request)
    lines.append(("access-control-allow-methods", ",".join(cors.allow_methods)))
    if cors.allow_headers:
        lines.append(("access-control-allow-headers", ",".join(cors.allow_headers)))
    if cors.max_age_s is not None:
        lines.append(("access-control-max-age", str(cors.max_age_s)))
    return lines


def answer_headers(cors: Cors, request: Request) -> list[tuple[str, str]]:
    """The headers added to every other answer, beside the function's own (FU-100f).

    None without an ``Origin`` (FU-100g, UNSURE) or with one that is not allowed.
    """
    if not _allows_origin(cors, request):
        return []
    lines = _origin_lines(cors, request)
    if cors.expose_headers:
        lines.append(("access-control-expose-headers", ",".join(cors.expose_headers)))
    return lines


def _allows_origin(cors: Cors, request: Request) -> bool:
    origin = request.headers.get("Origin")
    return bool(origin) and bool({origin, "*"} & set(cors.allow_origins))


def _origin_lines(cors: Cors, request: Request) -> list[tuple[str, str]]:
    # The origin is echoed, also for "*"; Vary beside it is UNSURE (FU-100d).
    lines = [("access-control-allow-origin", request.headers.get("Origin")), ("vary", "Origin")]
    if cors.allow_credentials:
        lines.append(("access-control-allow-credentials", "true"))
    return lines


def _names(headers: Headers) -> set[str]:
    lists = headers.get_all("Access-Control-Request-Headers")
    return {name.strip().lower() for names in lists for name in names.split(",") if name.strip()}
