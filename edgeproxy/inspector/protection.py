"""Who may call the control listener: programs of this machine and its own pages, no other site's.

- A page of another site that rebinds a name of its own to this address sends that name as ``Host``:
  only loopback names, IP addresses and the names that ``--control-name`` and ``--control-host``
  give are answered. An address, unlike a name, cannot be made to point here by a foreign server.
- Browsers say where a request comes from: in ``Origin``, and in ``Sec-Fetch-Site``. State is
  changed, and the API read, from this listener's own pages alone.
- What goes out tells browsers to run nothing but the page's own files, and to show it nowhere else.
"""

import ipaddress
import re
from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from edgeproxy.errors import EdgeproxyError
from edgeproxy.inspector.calls import Problem, refused

__all__ = ["guard", "harden"]

_ACCOUNT: Final = re.compile(r"\A\d{12}\.")
_PAGE: Final = re.compile(r"/(?:static/.*)?")
_OWN: Final = re.compile(r"/(?:static/.*|api/.*|metrics|healthz)?")

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def guard(names: Iterable[str]) -> Middleware:
    """Refuses other sites' requests, and turns every problem into the API's error document.

    ``names`` are answered to beside loopback names and addresses.
    """
    answered_to = frozenset(name.lower() for name in names)

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check(request, answered_to)
            return await handler(request)
        except Problem as problem:
            return refused(problem.status, problem.code, problem.message)
        except EdgeproxyError as error:
            return refused(400, "InvalidArgument", str(error))
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return refused(error.status, (error.reason or "").replace(" ", ""), error.text or "")

    return guarded


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Put what browsers must know on an answer, unless it is one of AWS's APIs."""
    if _OWN.fullmatch(request.path):
        response.headers.update(_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")


def _check(request: web.Request, names: Collection[str]) -> None:
    if not _is_own_host(request.host, names):
        raise Problem(
            403,
            "ForeignHost",
            f"this listener does not answer to {request.host!r}; --control-name allows a name",
        )
    if _PAGE.fullmatch(request.path) and request.method in ("GET", "HEAD"):
        return  # A link may lead here from anywhere; its answers say that only the page reads them.
    if _is_foreign(request):
        raise Problem(403, "ForeignOrigin", "only this listener's own pages may call it")


def _is_own_host(host: str, names: Collection[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name in names or name == "localhost" or name.endswith(".localhost"):
            return True
        # The clients of CloudFront's KeyValueStore put the account in front of any endpoint.
        ipaddress.ip_address(_ACCOUNT.sub("", name))
    except ValueError:
        return False
    return True


def _is_foreign(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return True
    return request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
