"""Origin groups (CDN-OG)."""

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from edgeproxy.cache.fetched import Fetched
from edgeproxy.clock import Clock
from edgeproxy.distribution.managed import CACHE_POLICIES
from edgeproxy.distribution.model import Behavior, Distribution, Origin
from edgeproxy.edge.origin_choice import Choice, Target, ask_in_order
from edgeproxy.edge.outcomes import Scene
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from edgeproxy.origins.failover import failover_status
from tests.support.ports import free_port
from tests.unit.origins.raw_origin import client, custom_origin, raw_origin, says

PRIMARY = custom_origin(id="primary")
SECONDARY = custom_origin(id="secondary", domain_name="backup.example.com")
ORIGINS = {"primary": PRIMARY, "secondary": SECONDARY}
CACHING = CACHE_POLICIES[0]
HOST = Headers([("Host", "www.example.com")])

NO_CONNECTION = OriginFailure(OriginFailureKind.CONNECT, 502, "a refused the connection")
CONNECT_TIMEOUT = OriginFailure(OriginFailureKind.CONNECT, 504, "a is silent", timed_out=True)
NO_NAME = OriginFailure(OriginFailureKind.DNS, 502, "a does not resolve")
NO_ANSWER = OriginFailure(
    OriginFailureKind.COMM, 504, "a sent nothing", timed_out=True, connected=True
)
BAD_ANSWER = OriginFailure(OriginFailureKind.INVALID_RESPONSE, 502, "a spoke SMTP", connected=True)


def group(*codes: int) -> frozenset[int]:
    """The failover codes of the group."""
    return frozenset(codes)


@contextmanager
def silent_address() -> Iterator[str]:
    """The URL of a port that takes no more connections, and refuses none."""
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"


class Members:
    """Answers for each member, and which of them were asked."""

    def __init__(self, answers: Mapping[str, int | Response | Exception]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def send(self, origin: Origin) -> Response:
        self.asked.append(origin.id)
        answer = self._answers[origin.id]
        if isinstance(answer, Exception):
            raise answer
        return Response(answer) if isinstance(answer, int) else answer


@dataclass(frozen=True)
class Answered:
    """What came of asking a group."""

    response: Response
    why: str = ""
    failover_status: int | None = None


async def ask(
    members: Members,
    codes: frozenset[int],
    method: str = "GET",
    *,
    cached_methods: tuple[str, ...] = ("GET", "HEAD"),
    upgrade: str = "",
    origins: Mapping[str, Origin] = ORIGINS,
) -> Answered:
    request = Request(method, "/x", headers=HOST, upgrade=upgrade)
    behavior = Behavior("*", "group", CACHING, cached_methods=cached_methods)
    distribution = Distribution("Site", "E1", "d1.cloudfront.net", origins, behavior)
    exchange = Exchange("id", "distribution", "Site", request, 0, Clock())
    choice = Choice(Target(origins["primary"]), Target(origins["secondary"]), codes)

    async def send(target: Target) -> Fetched:
        try:
            return Fetched(await members.send(target.origin))
        except OriginFailure as failure:
            return Fetched(Response(failure.status, why=failure.why), detail=failure.kind)

    scene = Scene(exchange, distribution, behavior, {})
    fetched = await ask_in_order(choice, request, scene, send)
    for step in exchange.steps:
        assert step.decision is not None
        return Answered(fetched.response, step.decision.why, step.decision.facts["status"])
    return Answered(fetched.response)


@pytest.mark.rule("CDN-OG-01")
async def test_a_good_answer_of_the_primary_is_the_answer() -> None:
    members = Members({"primary": 200, "secondary": 200})
    answered = await ask(members, group(500))
    assert (answered.response.status, answered.failover_status) == (200, None)
    assert members.asked == ["primary"]


@pytest.mark.parametrize("code", [400, 403, 404, 416, 429, 500, 502, 503, 504])
@pytest.mark.rule("CDN-OG-01", "CDN-OG-02", "CDN-OG-16")
async def test_a_configured_code_of_the_primary_leads_to_the_secondary(code: int) -> None:
    members = Members({"primary": code, "secondary": 200})
    answered = await ask(members, group(code))
    assert (answered.response.status, answered.failover_status) == (200, code)
    assert answered.why == "primary answered: on to secondary"
    assert members.asked == ["primary", "secondary"]


@pytest.mark.rule("CDN-OG-10")
async def test_a_code_that_is_not_configured_is_the_answer() -> None:
    members = Members({"primary": 404, "secondary": 200})
    answered = await ask(members, group(500, 503))
    assert answered.response.status == 404
    assert members.asked == ["primary"]


@pytest.mark.parametrize(
    ("method", "cached_methods", "asked"),
    [
        ("GET", ("GET", "HEAD"), ["primary", "secondary"]),
        ("HEAD", ("GET", "HEAD"), ["primary", "secondary"]),
        pytest.param(
            "OPTIONS",
            ("GET", "HEAD", "OPTIONS"),
            ["primary", "secondary"],
            marks=pytest.mark.rule("CDN-OG-04"),
        ),
        pytest.param("OPTIONS", ("GET", "HEAD"), ["primary"], marks=pytest.mark.rule("CDN-OG-04")),
        ("POST", ("GET", "HEAD"), ["primary"]),
        ("PUT", ("GET", "HEAD"), ["primary"]),
        ("PATCH", ("GET", "HEAD"), ["primary"]),
        ("DELETE", ("GET", "HEAD"), ["primary"]),
    ],
)
@pytest.mark.rule("CDN-OG-03")
async def test_only_reading_methods_fail_over(method, cached_methods, asked) -> None:
    members = Members({"primary": 500, "secondary": 200})
    answered = await ask(members, group(500), method, cached_methods=cached_methods)
    assert members.asked == asked
    assert answered.response.status == (200 if len(asked) == 2 else 500)


@pytest.mark.rule("CDN-OG-03")
async def test_a_post_to_a_primary_that_is_down_fails() -> None:
    members = Members({"primary": NO_CONNECTION, "secondary": 200})
    assert (await ask(members, group(503), "POST")).response.status == 502
    assert members.asked == ["primary"]


@pytest.mark.parametrize("failure", [NO_CONNECTION, CONNECT_TIMEOUT, NO_NAME])
@pytest.mark.rule("CDN-OG-05")
async def test_no_connection_needs_503_to_be_configured(failure: OriginFailure) -> None:
    members = Members({"primary": failure, "secondary": 200})
    answered = await ask(members, group(503))
    assert answered.why == f"{failure.why}: on to secondary"
    assert answered.failover_status == 503
    answered = await ask(members, group(500, 502, 504))
    assert answered.response.status == failure.status
    assert members.asked == ["primary", "secondary", "primary"]


@pytest.mark.rule("CDN-OG-06")
async def test_a_response_timeout_needs_504_to_be_configured() -> None:
    members = Members({"primary": NO_ANSWER, "secondary": 200})
    answered = await ask(members, group(504))
    assert answered.failover_status == 504
    answered = await ask(members, group(500, 502, 503))
    assert (answered.response.status, answered.failover_status) == (504, None)


async def test_an_invalid_answer_counts_as_the_502_that_it_would_be() -> None:
    assert failover_status(BAD_ANSWER.status, BAD_ANSWER.kind) == 502
    answered = await ask(Members({"primary": BAD_ANSWER, "secondary": 200}), group(502))
    assert answered.failover_status == 502


@pytest.mark.rule("CDN-OG-07")
async def test_every_request_tries_the_primary_first() -> None:
    members = Members({"primary": 500, "secondary": 200})
    for _ in range(2):
        await ask(members, group(500))
    assert members.asked == ["primary", "secondary", "primary", "secondary"]


@pytest.mark.parametrize("status", [404, 500, 503])
@pytest.mark.rule("CDN-OG-09")
async def test_the_secondarys_answer_is_final(status: int) -> None:
    members = Members({"primary": 500, "secondary": status})
    answered = await ask(members, group(404, 500, 503))
    assert answered.response.status == status
    assert members.asked == ["primary", "secondary"]


@pytest.mark.rule("CDN-OG-09")
async def test_the_secondarys_failure_is_final() -> None:
    members = Members({"primary": 500, "secondary": NO_ANSWER})
    assert (await ask(members, group(500, 504))).response.why == NO_ANSWER.why
    assert members.asked == ["primary", "secondary"]


@pytest.mark.rule("LE-ERR-13")
async def test_what_is_no_origin_failure_starts_no_failover() -> None:
    members = Members({"primary": LookupError("a function failed"), "secondary": 200})
    with pytest.raises(LookupError):
        await ask(members, group(500, 502, 503, 504))
    assert members.asked == ["primary"]


@pytest.mark.rule("CDN-OG-15")
async def test_a_websocket_handshake_does_not_fail_over() -> None:
    members = Members({"primary": 500, "secondary": 200})
    answered = await ask(members, group(500), upgrade="websocket")
    assert answered.response.status == 500
    assert members.asked == ["primary"]


async def test_the_primarys_unwanted_body_is_closed() -> None:
    closed: list[bool] = []

    class Source:
        async def __aiter__(self):
            yield b"never read"

        async def aclose(self) -> None:
            closed.append(True)

    unwanted = Response(500, body=StreamBody(Source()))
    await ask(Members({"primary": unwanted, "secondary": 200}), group(500))
    assert closed == [True]


@pytest.mark.rule("CDN-OG-12", "CDN-ORG-02")
@pytest.mark.parametrize(("attempts", "timeout_s"), [(1, 0.1), (2, 0.3)])
async def test_failover_waits_for_all_attempts_to_connect(attempts: int, timeout_s: float) -> None:
    origins = {
        "primary": custom_origin(
            id="primary", connection_attempts=attempts, connection_timeout_s=timeout_s
        ),
        "secondary": SECONDARY,
    }
    loop = asyncio.get_running_loop()
    with silent_address() as url:
        async with (
            raw_origin(says(b"HTTP/1.1 204 No Content\r\n\r\n")) as backup,
            client({"primary": url, "secondary": backup.url}) as sender,
        ):

            class Sending(Members):
                async def send(self, origin: Origin) -> Response:
                    return await sender.fetch(Request("GET", "/x", headers=HOST), origin)

            began = loop.time()
            answered = await ask(Sending({}), group(503), origins=origins)
            waited_s = loop.time() - began
    assert (answered.response.status, answered.failover_status) == (204, 503)
    wait_s = attempts * timeout_s
    assert wait_s <= waited_s < wait_s + 2


@pytest.mark.rule("CDN-OG-05", "CDN-OG-13")
async def test_the_secondary_is_asked_with_its_own_path_and_headers() -> None:
    origins = {
        "primary": custom_origin(id="primary", connection_attempts=1, origin_path="/a"),
        "secondary": custom_origin(
            id="secondary",
            domain_name="backup.example.com",
            origin_path="/b",
            custom_headers=Headers([("X-Member", "secondary")]),
        ),
    }
    request = Request("GET", "/x", headers=Headers([("Host", "www.example.com")]))
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with raw_origin(says(answer)) as backup:
        mapping = {"primary": f"http://127.0.0.1:{free_port()}", "secondary": backup.url}
        async with client(mapping) as sender:

            class Sending(Members):
                async def send(self, origin: Origin) -> Response:
                    return await sender.fetch(request, origin)

            answered = await ask(Sending({}), group(503), origins=origins)
    assert answered.response.status == 204
    assert answered.why == f"{mapping['primary']} refused the connection: on to secondary"
    assert backup.requests[0].startswith(b"GET /b/x HTTP/1.1\r\n")
    assert b"X-Member: secondary" in backup.requests[0]
