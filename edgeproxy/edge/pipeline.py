"""The story of a request, in CloudFront's own order of events.

Two functions tell it. :func:`viewer_facing` is what happens for every viewer request;
:func:`origin_facing` is what happens when an origin has to be asked. The order is fixed by AWS
(LE-ORDER-01), so it is straight-line code: each step is a function of another module, and writes
its decision into the exchange.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.freshness import CacheRules, cache_rules
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import Distribution, EventType, Origin
from edgeproxy.edge import custom_errors, lookup, policy_headers
from edgeproxy.edge.admission import Refused, admit
from edgeproxy.edge.compression import compress
from edgeproxy.edge.origin_choice import Target, ask_in_order, choose
from edgeproxy.edge.outcomes import (
    Answered,
    Changed,
    Failed,
    Proceed,
    Scene,
    generated_headers,
)
from edgeproxy.edge.pages import origin_error_page
from edgeproxy.edge.passage import Passage, Verdict
from edgeproxy.exchange.model import Decision
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins import forwarding
from edgeproxy.origins.errors import OriginFailure

__all__ = ["origin_facing", "viewer_facing"]

_VIEWERS_CONDITIONS: Final = (
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
)


async def viewer_facing(passage: Passage, request: Request) -> Verdict:
    """From the viewer's request to the answer the viewer gets."""
    scene = _set_scene(passage, request)
    passage.exchange.path_pattern = scene.behavior.path_pattern

    admission = admit(
        passage.distribution,
        scene.behavior,
        request,
        passage.exchange.id,
        passage.exchange.started,
        passage.https_port,
    )
    if isinstance(admission, Refused):
        return await _refuse(passage, scene, request, admission)

    outcome = await passage.services.hooks.viewer_request(scene, request)
    match outcome:
        case Answered():
            verdict = Verdict(outcome.response, outcome.result_type, why=outcome.why)
            return policy_headers.put_on(passage, scene, request, verdict)
        case Failed():
            verdict = Verdict(outcome.response, outcome.result_type, why=outcome.why)
            return await _error(passage, scene, request, verdict)
        case Proceed():
            request = outcome.request

    asked = _with_default_root_object(passage.distribution, outcome)
    verdict = await _look_up(passage, scene, asked)
    if verdict.response.status >= 400:
        return await _error(passage, scene, request, verdict)

    verdict = policy_headers.put_on(passage, scene, request, verdict)
    if verdict.response.status == 101:
        return verdict  # The connection leaves HTTP: no response function runs (CDN-WS-09, U).
    changed = await passage.services.hooks.viewer_response(scene, request, verdict.response)
    match changed:
        case Changed():
            return replace(verdict, response=changed.response)
        case Failed():
            verdict = Verdict(changed.response, changed.result_type, why=changed.why)
            return await _error(passage, scene, request, verdict)


async def origin_facing(
    passage: Passage, scene: Scene, proceed: Proceed, validators: Headers | None
) -> Fetched:
    """From a cache miss, or a stale object with ``validators``, to an answer that may be stored."""
    choice = choose(
        passage.distribution,
        scene.behavior,
        proceed.origin_change,
        proceed.request.viewer.scheme,
    )
    ask = partial(_ask_origin, passage, scene, proceed.request, validators)
    try:
        fetched = await ask_in_order(choice, proceed.request, scene, ask)
    except OriginFailure as failure:
        page = origin_error_page(failure.status, failure.kind, passage.exchange.id)
        return Fetched(page, detail=failure.kind)
    return compress(scene, proceed.request, fetched)


async def _ask_origin(
    passage: Passage, scene: Scene, request: Request, validators: Headers | None, target: Target
) -> Fetched:
    """One origin's answer, through the functions before and after it."""
    services = passage.services
    origin = target.origin
    outgoing = forwarding.origin_request(
        request,
        scene.behavior,
        origin,
        generated=scene.generated,
        request_id=passage.exchange.id,
        via=services.identity.via(request.version),
    )
    if validators is not None:
        outgoing = replace(outgoing, headers=_revalidating(outgoing.headers, validators))
    if target.host is not None:
        outgoing = replace(outgoing, headers=outgoing.headers.with_set("Host", target.host))

    if scene.behavior.function_for(EventType.ORIGIN_REQUEST) is not None:
        await _resolve(passage, outgoing, origin)
    outcome = await services.hooks.origin_request(scene, outgoing, origin)
    match outcome:
        case Answered():
            return Fetched(outcome.response, detail="MissGeneratedResponse")
        case Failed():
            return Fetched(outcome.response, may_store=False, detail=outcome.result_type)
        case Proceed():
            outgoing, origin = outcome.request, outcome.origin or origin

    with scene.exchange.step("origin", before=outgoing) as step:
        scene.exchange.origin_id = origin.id
        try:
            response = await services.origins.fetch(outgoing, origin)
        except OriginFailure as failure:
            step.decision = Decision(failure.kind, failure.why, {"origin": origin.id})
            raise
        except ConnectionError as error:
            step.decision = Decision("request broke off", str(error), {"origin": origin.id})
            raise
        scene.exchange.origin_first_byte_s = scene.exchange.elapsed()
        step.after = response
        step.decision = Decision("answered", response.why, {"origin": origin.id})
    response = forwarding.from_origin(response, scene.behavior)

    changed = await services.hooks.origin_response(scene, outgoing, response, origin)
    match changed:
        case Changed():
            return Fetched(forwarding.without_framing(changed.response))
        case Failed():
            return Fetched(changed.response, may_store=False, detail=changed.result_type)


async def _resolve(passage: Passage, request: Request, origin: Origin) -> None:
    """Without a name that resolves there is nothing to run a function for (LE-ORDER-06)."""
    try:
        await passage.services.origins.look_up(origin, request.viewer.scheme)
    except OriginFailure as failure:
        passage.exchange.origin_id = origin.id
        with passage.exchange.step("origin", before=request) as step:
            step.decision = Decision(failure.kind, failure.why, {"origin": origin.id})
        raise


def _set_scene(passage: Passage, request: Request, more: Mapping[str, str] | None = None) -> Scene:
    """Choose the behavior, once, from the path the viewer sent (LE-ORDER-02)."""
    with passage.exchange.step("behavior", before=request) as step:
        behavior = match_behavior(passage.distribution, request.path)
        step.decision = Decision(
            "matched",
            f"{request.path} matches {behavior.path_pattern}",
            {"path_pattern": behavior.path_pattern, "target_origin_id": behavior.target_origin_id},
        )
    generated = generated_headers(behavior, request, more)
    return Scene(passage.exchange, passage.distribution, behavior, generated)


def _with_default_root_object(distribution: Distribution, proceed: Proceed) -> Proceed:
    """``/`` is served as the default root object, after the viewer-request function (CDN-ROOT)."""
    if proceed.request.path != "/" or not distribution.default_root_object:
        return proceed
    root = replace(proceed.request, path=f"/{distribution.default_root_object}")
    return replace(proceed, request=root)


async def _look_up(
    passage: Passage, scene: Scene, proceed: Proceed, rules: CacheRules | None = None
) -> Verdict:
    """The object by the rules of the behavior, unless others are given."""
    rules = rules or cache_rules(passage.distribution, scene.behavior)
    fill = partial(origin_facing, passage, scene, proceed)
    return await lookup.look_up(passage, scene, proceed.request, rules, fill)


async def _refuse(passage: Passage, scene: Scene, request: Request, refused: Refused) -> Verdict:
    with passage.exchange.step("admission", before=request) as step:
        step.decision = Decision("refused", refused.why)
        step.after = refused.response
    verdict = Verdict(
        refused.response, refused.result_type, refused.detailed_result_type, refused.why
    )
    if refused.response.status < 400:
        return verdict  # The redirect to HTTPS carries no policy headers (CDN-RHP-27, U).
    return await _error(passage, scene, request, verdict)


async def _error(passage: Passage, scene: Scene, request: Request, verdict: Verdict) -> Verdict:
    """An error as the viewer gets it: the distribution's own page for it, if there is one."""
    page = custom_errors.page_for(passage.distribution, request, verdict)
    if page is not None:
        page_scene = _set_scene(passage, page.request, page.about)
        now = passage.services.clock.now()
        rules = custom_errors.page_rules(scene, page_scene, verdict, now)
        fetched = await _look_up(passage, page_scene, Proceed(page.request), rules)
        verdict = await custom_errors.replace_page(page, verdict, fetched)
    return policy_headers.put_on(passage, scene, request, verdict)


def _revalidating(headers: Headers, validators: Headers) -> Headers:
    """The validators of the stored object in place of the viewer's own conditions (CDN-VAL-01)."""
    headers = headers.without(*_VIEWERS_CONDITIONS)
    for name, value in validators:
        headers = headers.with_set(name, value)
    return headers
