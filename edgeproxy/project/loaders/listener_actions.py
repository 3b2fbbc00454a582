"""Reads what a listener rule does with a request (AL-141, AL-153 to AL-156, AL-170, AL-173)."""

from collections.abc import Mapping
from typing import TypeAlias

from edgeproxy.loadbalancing.model import AlbFixedResponse, AlbForward, AlbRedirect, TargetGroup
from edgeproxy.project.loaders.elb_resources import refuse, within
from edgeproxy.project.loaders.section import Section

__all__ = ["Action", "read_action"]

Action: TypeAlias = AlbForward | AlbFixedResponse | AlbRedirect

_ANSWERING = ("forward", "redirect", "fixed-response")
_AUTHENTICATING = ("authenticate-oidc", "authenticate-cognito", "jwt-validation")
_CONTENT_TYPES = (
    "text/plain",
    "text/css",
    "text/html",
    "application/javascript",
    "application/json",
)
_MAX_BODY = 1024
_MAX_GROUPS = 5
_LAST = 50_000


def read_action(
    section: Section, name: str, groups: Mapping[str, TargetGroup], protocol: str
) -> Action:
    """The action that answers on a listener of ``protocol``; ``groups`` are by their ARNs.

    Authentication before it is not done (AL-141).
    """
    actions = sorted(section.sections(name), key=lambda each: each.integer("Order", _LAST))
    answering = []
    for action in actions:
        if action.choice("Type", (*_ANSWERING, *_AUTHENTICATING)) in _ANSWERING:
            answering.append(action)
            continue
        action.ignore("nobody is authenticated here", *action.values)
        if protocol != "HTTPS":
            refuse(action, "Type", "AL-141", "Only HTTPS listeners authenticate.")
    if len(answering) != 1 or answering[0] is not actions[-1]:
        raise section.error(
            name,
            "there is no forward, redirect or fixed-response"
            if not answering
            else "there must be one forward, redirect or fixed-response, the last action",
            rule="AL-141",
            remedy="end the actions with one of them",
        )
    [action] = answering
    match action.text("Type"):
        case "redirect":
            made: Action = _redirect(action, protocol)
        case "fixed-response":
            made = _fixed_response(action)
        case _:
            made = _forward(action, groups)
    action.finish()
    return made


def _redirect(action: Section, protocol: str) -> AlbRedirect:
    config = action.required_section("RedirectConfig")
    status = config.choice("StatusCode", ("HTTP_301", "HTTP_302"))
    redirect = AlbRedirect(
        status=int(status.removeprefix("HTTP_")),
        protocol=config.choice("Protocol", ("HTTP", "HTTPS", "#{protocol}"), "#{protocol}"),
        host=config.text("Host", "#{host}"),
        port=config.text("Port", "#{port}"),
        path=config.text("Path", "/#{path}"),
        query=config.text("Query", "#{query}"),
    )
    if redirect == AlbRedirect(redirect.status, query=redirect.query):
        refuse(
            config,
            "",
            "AL-154",
            "The redirect leads to where the request came from.",
            "change the protocol, the host, the port or the path",
        )
    if (protocol, redirect.protocol) == ("HTTPS", "HTTP"):
        refuse(config, "Protocol", "AL-154", "HTTPS is not redirected to HTTP.")
    config.finish()
    return redirect


def _fixed_response(action: Section) -> AlbFixedResponse:
    config = action.required_section("FixedResponseConfig")
    response = AlbFixedResponse(
        status=config.integer("StatusCode"),
        content_type=config.choice("ContentType", _CONTENT_TYPES, "text/plain"),
        body=config.text("MessageBody", ""),
    )
    if response.status // 100 not in (2, 4, 5):
        message = f"{response.status} is no status of a fixed response."
        refuse(config, "StatusCode", "AL-153", message, "give 2XX, 4XX or 5XX")
    if len(response.body) > _MAX_BODY:
        message = f"MessageBody has {len(response.body)} characters; {_MAX_BODY} are allowed."
        refuse(config, "MessageBody", "AL-153", message)
    config.finish()
    return response


def _forward(action: Section, groups: Mapping[str, TargetGroup]) -> AlbForward:
    config = action.section("ForwardConfig")
    if config is None:
        return AlbForward(((_group(action, groups), 1),))
    weighted = []
    for each in config.sections("TargetGroups"):
        weighted.append((_group(each, groups), within(each, "Weight", 1, 0, 999, "AL-170")))
        each.finish()
    if len(weighted) > _MAX_GROUPS:
        message = f"{len(weighted)} target groups; {_MAX_GROUPS} are allowed."
        refuse(config, "TargetGroups", "AL-170", message)
    stickiness = config.section("TargetGroupStickinessConfig")
    duration = None
    if stickiness is not None:
        if stickiness.boolean("Enabled", False):
            duration = within(stickiness, "DurationSeconds", None, 1, 604_800, "AL-173")
        else:
            stickiness.ignore("stickiness is off", "DurationSeconds")
        stickiness.finish()
    action.ignore("ForwardConfig says the same", "TargetGroupArn")
    config.finish()
    return AlbForward(tuple(weighted), duration)


def _group(section: Section, groups: Mapping[str, TargetGroup]) -> str:
    arn = section.text("TargetGroupArn")
    if arn not in groups:
        raise section.error(
            "TargetGroupArn",
            f"no target group {arn!r} is declared here",
            rule="AL-170",
            remedy="declare an AWS::ElasticLoadBalancingV2::TargetGroup and refer to it",
        )
    return groups[arn].logical_id
