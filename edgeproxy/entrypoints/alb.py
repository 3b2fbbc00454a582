"""The door of one listener of an Application Load Balancer.

A request meets a rule; the rule answers itself, redirects, or forwards to a target group, which is
a Lambda function or plain HTTP targets.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, assert_never

from edgeproxy.awslambda.records import function_run, why_failed
from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.entrypoints.alb_rules import match_rule, redirect_location
from edgeproxy.entrypoints.alb_stickiness import Stickiness
from edgeproxy.entrypoints.invoking import Invoker
from edgeproxy.events.alb import Malformed, decode_result, encode_event, trace_header
from edgeproxy.exchange.delivery import record_delivery
from edgeproxy.exchange.model import Decision, Exchange, Finding, Recorder, Step
from edgeproxy.http.body import EMPTY_BODY, BodyTooLarge, BytesBody, read_at_most
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Handler, Request, Response, reason_phrase
from edgeproxy.loadbalancing.model import (
    AlbFixedResponse,
    AlbForward,
    AlbListener,
    AlbRedirect,
    LoadBalancer,
    TargetGroup,
)
from edgeproxy.origins.errors import OriginFailure
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)

__all__ = ["AlbDoor"]

_MB: Final = 1024 * 1024
"""A request body, and an answer as JSON (AL-037, AL-082)."""

_FORWARDERS: Final = 30
"""AL-052."""

_TITLES: Final = {
    413: "Request Entity Too Large",
    463: "",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}
"""What generated pages say where it is not the standard phrase (AL-103)."""


class AlbDoor:
    """A Handler for ``listener`` of ``load_balancer``; both are replaced on reload.

    ``target`` gives the Handler for one plain HTTP target, named ``host:port``. It may raise
    :class:`OriginFailure`. Lenient takes the second reading of rules that are UNSURE.
    """

    def __init__(
        self,
        load_balancer: LoadBalancer,
        listener: AlbListener,
        service: Invoker,
        clock: Clock,
        chance: Chance,
        recorder: Recorder,
        *,
        target: Callable[[str], Handler],
        strict: bool = True,
    ) -> None:
        self.load_balancer = load_balancer
        self.listener = listener
        self._service = service
        self._clock = clock
        self._chance = chance
        self._recorder = recorder
        self._target = target
        self._strict = strict
        self._stickiness = Stickiness(load_balancer.dns_name)

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        exchange = Exchange(
            self._chance.uuid(),
            "alb",
            self.load_balancer.logical_id,
            request,
            self._clock.now(),
            self._clock,
        )
        response = await self._answer(exchange, request)
        headers = response.headers.with_default("Date", format_date(self._clock.now()))
        # UNSURE whether a target's own Server header is kept: it is (AL-081).
        response = replace(response, headers=headers.with_default("Server", "awselb/2.0"))
        if request.method == "HEAD" and response.body.length is not None:
            length = str(response.body.length)
            await response.body.close()
            headers = response.headers.with_default("Content-Length", length)
            response = replace(response, headers=headers, body=EMPTY_BODY)
        return record_delivery(exchange, response, self._recorder)

    def refuse(self, status: int) -> Response:
        """The page for a request that is malformed or too large to be one (AL-102)."""
        page = _page(400 if status == 494 else status)  # 494 is CloudFront's alone.
        return replace(page, headers=page.headers.with_set("Date", format_date(self._clock.now())))

    async def _answer(self, exchange: Exchange, request: Request) -> Response:
        with exchange.step("rule", before=request) as step:
            if request.method == "TRACE":
                return _refuse(step, 405, "TRACE is not allowed")
            forwarders = ",".join(request.headers.get_all("X-Forwarded-For")).split(",")
            if len(forwarders) > _FORWARDERS:
                return _refuse(step, 463, f"X-Forwarded-For has {len(forwarders)} addresses")
            rule = match_rule(self.listener, request)
            why = f"rule of priority {rule.priority}" if rule.conditions else "default rule"
            match rule.action:
                case AlbFixedResponse() as fixed:
                    step.decision = Decision("fixed-response", why)
                    headers = Headers([("Content-Type", fixed.content_type)])
                    body = BytesBody(fixed.body.encode("utf-8"))
                    return Response(fixed.status, headers, body)
                case AlbRedirect() as redirect:
                    location = redirect_location(redirect, self.listener, request)
                    step.decision = Decision("redirect", f"{why}: {location}")
                    page = _page(redirect.status)
                    return replace(page, headers=page.headers.with_added("Location", location))
                case AlbForward() as forward:
                    group, chosen = self._choose(forward, request)
                    if group is None:
                        return _refuse(step, 503, f"{why}: {chosen}")
                    step.decision = Decision(
                        "forward", f"{why}: {chosen}", {"target_group": group.logical_id}
                    )
                case _:
                    assert_never(rule.action)
        response = await self._forward(exchange, group, request)
        if forward.stickiness_s is None:
            return response
        lines = response.headers.lines()
        cookies = self._stickiness.cookies(group.arn, self._clock.now(), forward.stickiness_s)
        lines.extend(("Set-Cookie", cookie) for cookie in cookies)
        return replace(response, headers=Headers(lines))

    def _choose(self, forward: AlbForward, request: Request) -> tuple[TargetGroup | None, str]:
        """The target group for ``request`` and why (AL-170 to AL-177)."""
        groups = [
            (self.load_balancer.target_groups[name], weight)
            for name, weight in forward.target_groups
        ]
        if forward.stickiness_s is not None:
            bound = self._stickiness.group_of(request, self._clock.now())
            for group, _ in groups:
                if group.arn == bound:
                    return group, f"{group.logical_id} by its cookie"
        weights = [weight for _, weight in groups]
        if not any(weights):
            return None, "every target group has weight 0"  # UNSURE (AL-171)
        group = self._chance.draw([group for group, _ in groups], weights)
        return group, f"{group.logical_id} drawn by weight" if len(groups) > 1 else group.logical_id

    async def _forward(self, exchange: Exchange, group: TargetGroup, request: Request) -> Response:
        request = self._with_forwarding_headers(request)
        if group.function:
            with exchange.step("function", before=request) as step:
                step.after = await self._run(step, group, request)
            return step.after
        with exchange.step("target", before=request) as step:
            step.after = await self._fetch(step, group, request)
        return step.after

    def _with_forwarding_headers(self, request: Request) -> Request:
        """``request`` with the headers of the load balancer (AL-031, AL-050 to AL-054)."""
        earlier, client = request.headers.joined("X-Forwarded-For"), request.viewer.ip
        fresh = f"1-{int(self._clock.now()):08x}-{self._chance.hex(24)}"
        trace = trace_header(request.headers.get("X-Amzn-Trace-Id"), fresh)
        headers = (
            request.headers.with_set(
                "X-Forwarded-For", f"{earlier}, {client}" if earlier else client
            )
            .with_set("X-Forwarded-Proto", self.listener.protocol.lower())
            .with_set("X-Forwarded-Port", str(self.listener.port))
            .with_set("X-Amzn-Trace-Id", trace)
        )
        return replace(request, headers=headers)

    async def _fetch(self, step: Step, group: TargetGroup, request: Request) -> Response:
        """The answer of one of the group's HTTP targets."""
        if not group.targets:
            return _refuse(step, 503, f"{group.logical_id} has no target")
        address = self._chance.draw(group.targets, [1] * len(group.targets))
        try:
            response = await self._target(address)(request)
        except OriginFailure as failure:
            return _refuse(step, 504 if failure.timed_out else 502, failure.why)
        step.decision = Decision("answered", f"by {address}")
        return response

    async def _run(self, step: Step, group: TargetGroup, request: Request) -> Response:
        """The answer of the group's function, or what stands for its failure (AL-100)."""
        if request.upgrade:
            return _refuse(step, 400, "a function takes no upgrade", "LambdaWebsocketNotSupported")
        try:
            body = await read_at_most(request.body, _MB)
        except BodyTooLarge:
            return _refuse(step, 413, "the body is over 1 MB", "LambdaRequestTooLarge")
        payload = encode_event(group.arn, request, body, multi_value=group.multi_value_headers)
        if payload is None:  # UNSURE (AL-036)
            return _refuse(step, 400, "text in the request is not UTF-8", "LambdaBadRequest")
        try:
            result = await self._service.invoke(
                group.function,
                payload,
                qualifier=group.qualifier,
                trace_id=request.headers.get("X-Amzn-Trace-Id"),
            )
        except FunctionNotFound as error:
            return _refuse(step, 502, str(error), "LambdaResourceNotFound")
        return self._judge(step, group, result)

    def _judge(self, step: Step, group: TargetGroup, result: InvocationResult) -> Response:
        name = group.function
        run = partial(function_run, name, "alb", result, qualifier=group.qualifier)
        step.function = run()
        match result:
            case Returned():
                if len(result.payload) > _MB:
                    why = f"the result of {name} has {len(result.payload)} bytes"
                    finding = Finding("AL-082", why)
                    step.function = run(findings=(finding,), usable=False)
                    return _refuse(step, 502, why, "LambdaResponseTooLarge")
                decoded = decode_result(
                    result.payload, multi_value=group.multi_value_headers, strict=self._strict
                )
                if isinstance(decoded, Malformed):
                    finding = Finding(decoded.rule, decoded.why)
                    step.function = run(findings=(finding,), usable=False)
                    return _refuse(step, 502, f"{name}: {decoded.why}", "LambdaInvalidResponse")
                step.function = run(findings=decoded.findings)
                step.decision = Decision("answered")
                return decoded.response
            case FunctionError() | TimedOut() | InitFailed():
                return _refuse(step, 502, why_failed(name, result), "LambdaUnhandled")
            case Throttled():
                return _refuse(step, 502, f"{name}: {result.reason}", "LambdaThrottling")
            case _:
                assert_never(result)


def _refuse(step: Step, status: int, why: str, reason: str = "") -> Response:
    """The load balancer's own answer; ``reason`` is the access log's code for it (AL-106)."""
    step.decision = Decision("failed", why, {"reason": reason} if reason else {})
    return _page(status)


def _page(status: int) -> Response:
    """A page that the load balancer makes itself (AL-103)."""
    title = f"{status} {_TITLES.get(status, reason_phrase(status))}".rstrip()
    text = (
        "<html>\r\n"
        f"<head><title>{title}</title></head>\r\n"
        "<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n"
        "</body>\r\n"
        "</html>\r\n"
    )
    headers = Headers([("Server", "awselb/2.0"), ("Content-Type", "text/html")])
    return Response(status, headers, BytesBody(text.encode("ascii")))
