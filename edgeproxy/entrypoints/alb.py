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
from edgeproxy.entrypoints.alb_pages import page, refuse
from edgeproxy.entrypoints.alb_requests import forwarded, rewritten, without_invalid_headers
from edgeproxy.entrypoints.alb_rules import match_rule, redirect_location
from edgeproxy.entrypoints.alb_stickiness import Stickiness
from edgeproxy.entrypoints.invoking import Invoker
from edgeproxy.events.alb import Malformed, decode_result, encode_event
from edgeproxy.exchange.delivery import record_delivery
from edgeproxy.exchange.model import Decision, Exchange, Finding, Recorder, Step
from edgeproxy.http.body import EMPTY_BODY, BodyTooLarge, BytesBody, read_at_most
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.local_headers import explained, wants_explanation, without_local_headers
from edgeproxy.http.messages import Handler, Request, Response
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


class AlbDoor:
    """A Handler for ``listener`` of ``load_balancer``; both are replaced on reload.

    ``target`` gives the Handler for one plain HTTP target, named ``host:port``. It may raise
    :class:`OriginFailure`. ``usable`` gives the targets of a group that may be asked, and
    ``why_denied`` what keeps the balancer from invoking its function. Lenient takes the second
    reading of rules that are UNSURE.
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
        usable: Callable[[TargetGroup], tuple[str, ...]] = lambda group: group.targets,
        why_denied: Callable[[TargetGroup], str] = lambda group: "",
        strict: bool = True,
    ) -> None:
        self.load_balancer = load_balancer
        self.listener = listener
        self._service = service
        self._clock = clock
        self._chance = chance
        self._recorder = recorder
        self._target = target
        self._usable = usable
        self._why_denied = why_denied
        self._strict = strict
        self._stickiness = Stickiness(load_balancer.dns_name)

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        explain, request = wants_explanation(request), without_local_headers(request)
        exchange = Exchange(
            self._chance.uuid(),
            "alb",
            self.load_balancer.logical_id,
            request,
            self._clock.now(),
            self._clock,
        )
        response = self._dressed(await self._answer(exchange, request))
        if request.method == "HEAD" and response.body.length is not None:
            length = str(response.body.length)
            await response.body.close()
            headers = response.headers.with_default("Content-Length", length)
            response = replace(response, headers=headers, body=EMPTY_BODY)
        if explain:
            response = explained(response, exchange.id, exchange.why())
        return record_delivery(exchange, response, self._recorder)

    def refuse(self, status: int) -> Response:
        """The page for a request that is malformed or too large to be one (AL-102)."""
        return self._dressed(page(400 if status == 494 else status))  # 494 is CloudFront's alone.

    def _dressed(self, response: Response) -> Response:
        """``response`` with what all answers of the listener have (AL-081, AL-086)."""
        headers = response.headers.with_default("Date", format_date(self._clock.now()))
        if self.listener.names_server:
            # UNSURE whether a target's own Server header is kept: it is (AL-081).
            headers = headers.with_default("Server", "awselb/2.0")
        else:
            headers = headers.without("Server")
        for name, value in self.listener.response_headers:
            headers = headers.with_set(name, value)
        return replace(response, headers=headers)

    async def _answer(self, exchange: Exchange, request: Request) -> Response:
        if self.load_balancer.attributes.drops_invalid_headers:
            request = without_invalid_headers(request)
        with exchange.step("rule", before=request) as step:
            if request.method == "TRACE":
                return refuse(step, 405, "TRACE is not allowed")
            forwarders = ",".join(request.headers.get_all("X-Forwarded-For")).split(",")
            if len(forwarders) > _FORWARDERS:
                return refuse(step, 463, f"X-Forwarded-For has {len(forwarders)} addresses")
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
                    moved = page(redirect.status)
                    return replace(moved, headers=moved.headers.with_added("Location", location))
                case AlbForward() as forward:
                    group, chosen = self._choose(forward, request)
                    if group is None:
                        return refuse(step, 503, f"{why}: {chosen}")
                    step.decision = Decision(
                        "forward", f"{why}: {chosen}", {"target_group": group.logical_id}
                    )
                    changed = rewritten(request, rule.rewrites)
                    if changed is None:
                        return refuse(step, 500, f"{why}: its rewrite leaves no path")
                    step.after = changed if rule.rewrites else None
                case _:
                    assert_never(rule.action)
        response = await self._forward(exchange, group, changed)
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
        trace_id = f"1-{int(self._clock.now()):08x}-{self._chance.hex(24)}"
        attributes = self.load_balancer.attributes
        request = forwarded(request, attributes, self.listener, trace_id)
        if group.function:
            with exchange.step("function", before=request) as step:
                step.after = await self._run(step, group, request)
            return step.after
        with exchange.step("target", before=request) as step:
            step.after = await self._fetch(step, group, request)
        return step.after

    async def _fetch(self, step: Step, group: TargetGroup, request: Request) -> Response:
        """The answer of one of the group's HTTP targets."""
        targets = self._usable(group)
        if not targets:
            return refuse(step, 503, f"{group.logical_id} has no target")
        address = self._chance.draw(targets, [1] * len(targets))
        try:
            response = await self._target(address)(request)
        except OriginFailure as failure:
            return refuse(step, 504 if failure.timed_out else 502, failure.why)
        step.decision = Decision("answered", f"by {address}")
        return response

    async def _run(self, step: Step, group: TargetGroup, request: Request) -> Response:
        """The answer of the group's function, or what stands for its failure (AL-100)."""
        if request.upgrade:
            return refuse(step, 400, "a function takes no upgrade", "LambdaWebsocketNotSupported")
        try:
            body = await read_at_most(request.body, _MB)
        except BodyTooLarge:
            return refuse(step, 413, "the body is over 1 MB", "LambdaRequestTooLarge")
        if why := self._why_denied(group):  # UNSURE which status (AL-004)
            return refuse(step, 502, why, "LambdaAccessDenied")
        payload = encode_event(group.arn, request, body, multi_value=group.multi_value_headers)
        if payload is None:  # UNSURE (AL-036)
            return refuse(step, 400, "text in the request is not UTF-8", "LambdaBadRequest")
        try:
            result = await self._service.invoke(
                group.function,
                payload,
                qualifier=group.qualifier,
                trace_id=request.headers.get("X-Amzn-Trace-Id"),
                request=request,
            )
        except FunctionNotFound as error:
            return refuse(step, 502, str(error), "LambdaResourceNotFound")
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
                    return refuse(step, 502, why, "LambdaResponseTooLarge")
                decoded = decode_result(
                    result.payload, multi_value=group.multi_value_headers, strict=self._strict
                )
                if isinstance(decoded, Malformed):
                    finding = Finding(decoded.rule, decoded.why)
                    step.function = run(findings=(finding,), usable=False)
                    return refuse(step, 502, f"{name}: {decoded.why}", "LambdaInvalidResponse")
                step.function = run(findings=decoded.findings)
                step.decision = Decision("answered")
                return decoded.response
            case FunctionError() | TimedOut() | InitFailed():
                return refuse(step, 502, why_failed(name, result), "LambdaUnhandled")
            case Throttled():
                return refuse(step, 502, f"{name}: {result.reason}", "LambdaThrottling")
            case _:
                assert_never(result)
