"""Sends a request to an origin and hands back its answer, or says why there is none.

What goes out is what the request says: path, query and header lines byte for byte. The client
adds the origin path (CDN-ORG-01), the origin's custom headers (CDN-OCH-01), the signature of origin
access control (CDN-S3-10) and the framing, and nothing else. It follows no redirect (CDN-ORG-12),
keeps no cookie and decodes no content. Bodies stream in both directions; a slow reader slows the
origin down.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, assert_never

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.aws_names import is_website_endpoint
from edgeproxy.distribution.model import CustomOrigin, Origin
from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Request, Response
from edgeproxy.origins.connections import Connections, OriginConnection, StaleConnection
from edgeproxy.origins.destinations import Address, Destinations, Folder, Local
from edgeproxy.origins.doors import ask_door
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from edgeproxy.origins.files import FolderOrigin
from edgeproxy.origins.forwarding import with_custom_headers
from edgeproxy.origins.signing import PLACEHOLDERS, Credentials, is_signed, sign
from edgeproxy.origins.tls import client_context
from edgeproxy.origins.transfer import Transfer, format_head
from edgeproxy.origins.website import WebsiteOrigin
from edgeproxy.tasks import Tasks

__all__ = ["OriginClient", "Way"]

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_REPEATED_AFTER_TIMEOUT: Final = frozenset({"GET", "HEAD"})
_KEEPALIVE_S3_S: Final = 5
"""S3 origins have no keep-alive setting (CDN-ORG-07); the default of custom origins."""


_MARK: Final = "/edgeproxy-marks-the-place-of-a-target"
"""In a head that is formatted for :class:`Way`."""


@dataclass(frozen=True, slots=True)
class Way:
    """How requests that differ in their target alone go to an origin over plain connections."""

    destinations: Destinations
    address: Address
    before: bytes
    after: bytes
    """Of the head, what stands around path and query."""
    keepalive_s: float
    read_timeout_s: float


class OriginClient:
    """Fetches from any destination. Has to be closed.

    ``destinations`` may be replaced at any time; requests under way keep theirs. ``credentials``
    sign for origin access control; a folder checks no signature and gets none. With
    ``lists_folders`` folders answer 404 for a missing key instead of 403 (CDN-S3-17). While
    somebody ``is_debugging``, doors of the project have all the time they want.
    """

    def __init__(
        self,
        destinations: Destinations,
        clock: Clock,
        *,
        chance: Chance | None = None,
        credentials: Credentials = PLACEHOLDERS,
        lists_folders: bool = False,
        is_debugging: Callable[[], bool] = lambda: False,
    ) -> None:
        self.destinations = destinations
        self._clock = clock
        self._chance = chance or Chance()
        self._credentials = credentials
        self._uploads = Tasks()
        self._lists_folders = lists_folders
        self._is_debugging = is_debugging
        self._connections = Connections()
        self._folders: dict[Path, FolderOrigin] = {}

    async def fetch(
        self, request: Request, origin: Origin, begun: Transfer | None = None
    ) -> Response:
        """The origin's answer, headers as received, body still to be read.

        ``request`` has its final headers except the origin's own custom ones. Raises
        :class:`OriginFailure`; reading the body raises it too when the body breaks off
        (CDN-ERR-40). Whoever does not read the body to its end closes it. A request with
        ``upgrade`` may be answered with a tunnel (CDN-WS-04). When the request's own body breaks
        off, its ``ConnectionError`` is raised. ``begun`` is the first attempt, where it has
        been made already.
        """
        destination = self.destinations.resolve(origin, request.viewer.scheme)
        if origin.origin_path:
            request = replace(request, path=origin.origin_path + request.path)
        request = with_custom_headers(request, origin)
        match destination:
            case Folder(path):
                if not origin.is_s3 and is_website_endpoint(origin.domain_name):
                    return await WebsiteOrigin(self._folder(path))(request)
                # A folder in place of a declared bucket does not mind what the policies forward.
                is_chosen = origin.is_s3 and self.destinations.is_moved(origin)
                bucket = origin.domain_name if is_chosen else ""
                return await self._folder(path)(request, bucket=bucket)
            case Local(handler):
                request = self._signed(request, origin, self._clock.now())
                return await ask_door(handler, request, origin, self._is_debugging)
            case Address():
                request = self._with_host(request, origin, destination)
                # Without the user's credentials AWS itself could only refuse the signature.
                if destination.host != origin.domain_name or not self._credentials.are_placeholders:
                    # Origins know nothing of an edge whose clock was moved.
                    now = self._clock.now() - self._clock.offset_s
                    request = self._signed(request, origin, now, destination.base_path)
                return await self._fetch_within_limit(request, origin, destination, begun)
            case _:
                assert_never(destination)

    async def call(self, request: Request, origin: Origin) -> Response:
        """The same for a gRPC call; the answer's ``trailers`` are known when its body has ended."""
        from edgeproxy.origins.grpc import call

        return await call(request, origin, self.destinations, self._uploads)

    def way(self, request: Request, origin: Origin) -> Way | None:
        """How to send requests like ``request``, for :meth:`waiting`; None where it takes more than
        writing them to a connection that is there."""
        destination = self.destinations.resolve(origin, request.viewer.scheme)
        if (
            not isinstance(destination, Address)
            or destination.scheme != "http"
            or not isinstance(origin.config, CustomOrigin)
            or origin.response_completion_timeout_s is not None
            or is_signed(request, origin)
        ):
            return None
        request = self._with_host(with_custom_headers(request, origin), origin, destination)
        try:
            head = format_head(
                replace(request, path=f"{origin.origin_path}{_MARK}", query=None), destination
            )
        except OriginFailure:
            return None
        before, _, after = head.partition(_MARK.encode())
        config = origin.config
        return Way(
            self.destinations,
            destination,
            before,
            after,
            config.keepalive_timeout_s,
            config.read_timeout_s,
        )

    def waiting(self, way: Way, request: Request) -> Transfer | None:
        """For ``request``, which has no body, a connection that waits for one; it may begin."""
        if way.destinations is not self.destinations:
            return None
        connection = self._connections.idle(way.address, way.keepalive_s)
        if connection is None:
            return None
        return Transfer(
            connection, request, self._uploads, read_timeout_s=way.read_timeout_s, deadline=None
        )

    async def look_up(self, origin: Origin, viewer_scheme: Literal["http", "https"]) -> None:
        """Make sure that the name of ``origin`` resolves (LE-ORDER-06).

        What is mapped to another place has no name to resolve. Raises :class:`OriginFailure`.
        """
        destination = self.destinations.resolve(origin, viewer_scheme)
        if isinstance(destination, Address) and destination.host == origin.domain_name:
            await self._connections.look_up(destination, origin.connection_timeout_s)

    async def close(self) -> None:
        """Close all connections to origins."""
        await self._uploads.close()
        await self._connections.close()

    def _with_host(self, request: Request, origin: Origin, address: Address) -> Request:
        host = self.destinations.host_for(origin, address)
        if host is None:
            host = request.host or origin.domain_name
        hosts = [line for line in request.headers if line[0].lower() == "host"]
        if hosts == [("Host", host)]:
            return request
        return request.with_headers(request.headers.with_set("Host", host))

    def _signed(self, request: Request, origin: Origin, now: float, base_path: str = "") -> Request:
        if not is_signed(request, origin):
            return request
        return sign(request, origin, self._credentials, now, base_path=base_path)

    def _folder(self, path: Path) -> FolderOrigin:
        folder = self._folders.get(path)
        if folder is None:
            folder = FolderOrigin(path, self._clock, self._chance, is_listable=self._lists_folders)
            self._folders[path] = folder
        return folder

    async def _fetch_within_limit(
        self, request: Request, origin: Origin, address: Address, begun: Transfer | None
    ) -> Response:
        """All attempts and the whole body within ``ResponseCompletionTimeout`` (CDN-ORG-06)."""
        limit_s = origin.response_completion_timeout_s
        if limit_s is None:
            return await self._fetch_with_attempts(request, origin, address, None, begun)
        deadline = asyncio.get_running_loop().time() + limit_s
        try:
            async with asyncio.timeout_at(deadline):
                return await self._fetch_with_attempts(request, origin, address, deadline)
        except TimeoutError as error:
            raise OriginFailure(
                OriginFailureKind.COMM,
                504,
                f"{address} did not complete its answer within {limit_s:g} s "
                "(ResponseCompletionTimeout)",
                timed_out=True,
                connected=True,
            ) from error

    async def _fetch_with_attempts(
        self,
        request: Request,
        origin: Origin,
        address: Address,
        deadline: float | None,
        begun: Transfer | None = None,
    ) -> Response:
        """Connect, send, wait for the head; again as far as CDN-ORG-02, 03 and 05 allow.

        One counter serves both kinds of attempt. A stale idle connection is no attempt.
        """
        if request.upgrade and "Sec-WebSocket-Key" not in request.headers:
            # The policies do not forward what makes it a handshake: a plain GET (CDN-WS-03).
            request = replace(request, upgrade="")
        head = format_head(request, address)
        is_in_memory = isinstance(request.body, BytesBody)
        may_repeat = is_in_memory and request.method in _REPEATED_AFTER_TIMEOUT
        may_repeat = may_repeat and isinstance(origin.config, CustomOrigin)
        # What cannot be sent twice never rides on a connection that the origin may be closing.
        may_reuse = is_in_memory and request.method in _IDEMPOTENT and not request.upgrade
        attempt = 1
        while True:
            try:
                transfer, begun = begun, None
                if transfer is None:
                    connection = await self._connect(request, origin, address, may_reuse=may_reuse)
                    transfer = Transfer(
                        connection,
                        request,
                        self._uploads,
                        read_timeout_s=origin.config.read_timeout_s,
                        deadline=deadline,
                    )
                    transfer.begin(head)
                return await transfer.answer()
            except StaleConnection:
                continue
            except OriginFailure as failure:
                is_last = attempt >= origin.connection_attempts
                if failure.connected:
                    is_last = is_last or not (failure.timed_out and may_repeat)
                if is_last or failure.kind is OriginFailureKind.DNS:
                    if attempt > 1:
                        raise replace(
                            failure, why=f"{failure.why} ({attempt} attempts)"
                        ) from failure
                    raise
                attempt += 1

    async def _connect(
        self, request: Request, origin: Origin, address: Address, *, may_reuse: bool
    ) -> OriginConnection:
        config = origin.config
        if isinstance(config, CustomOrigin):
            keepalive_s, protocols = config.keepalive_timeout_s, config.ssl_protocols
        else:
            keepalive_s, protocols = _KEEPALIVE_S3_S, ("TLSv1.2",)
        tls, server_name, accepted_names = None, "", origin.allowed_certificate_names
        if address.scheme == "https":
            tls = client_context(
                protocols,
                verified=not address.any_certificate,
                certificate=self.destinations.certificate_for(origin),
            )
            host = _host_name(request.host)
            server_name = origin.server_name or host
            # CFF-ORG-03 does not say whether the names that a function allows are the only ones:
            # they are.
            accepted_names = accepted_names or (origin.domain_name, host, server_name)
        return await self._connections.open(
            address,
            tls=tls,
            server_name=server_name,
            accepted_names=accepted_names,
            timeout_s=origin.connection_timeout_s,
            keepalive_s=keepalive_s if may_reuse else None,
        )


def _host_name(host: str) -> str:
    """The name in a Host header, for SNI and the certificate (CDN-ORG-11, CFF-ORG-09)."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.rstrip(".")
