"""The story of a request, in CloudFront's own order of events.

Two functions tell it. :func:`viewer_facing` is what happens for every viewer request;
:func:`origin_facing` is what happens when an origin has to be asked. The order is fixed by AWS
(LE-ORDER-01), so it is straight-line code: each step is a function of another module, and writes
its decision into the exchange.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.freshness import CacheRules, cache_rules
from edgeproxy.distribution.grpc import for_grpc, is_grpc
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import EventType
from edgeproxy.edge import custom_errors, lookup, origin_fetch, policy_headers
from edgeproxy.edge.admission import Refused, admit, refused_root
from edgeproxy.edge.compression import compress
from edgeproxy.edge.delivery import refuse_oversized, without_vain_range
from edgeproxy.edge.field_encryption import with_encrypted_fields
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
from edgeproxy.edge.tiers import Asked, revalidating
from edgeproxy.exchange.model import Decision
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins import forwarding
from edgeproxy.origins.errors import OriginFailure

__all__ = ["origin_facing", "set_scene", "viewer_facing"]


async def viewer_facing(passage: Passage, request: Request) -> Verdict:
    """From the viewer's request to the answer the viewer gets."""
    scene = set_scene(passage, request)
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

    hooks = passage.services.hooks
    if passage.begun is None or passage.begun.result is None:
        outcome = await hooks.viewer_request(scene, request)
    else:
        outcome = hooks.invoked(scene, request, passage.begun.result)
    match outcome:
        case Answered():
            verdict = Verdict(outcome.response, outcome.result_type, reason=outcome.why)
            return policy_headers.put_on(passage, scene, request, verdict)
        case Failed():
            verdict = Verdict(outcome.response, outcome.result_type, reason=outcome.why)
            return await _error(passage, scene, request, verdict)
        case Proceed():
            request = outcome.request

    encryption = scene.behavior.field_level_encryption
    if encryption is not None:
        encrypted = await with_encrypted_fields(encryption, request, passage.exchange)
        if isinstance(encrypted, Refused):
            return await _refuse(passage, scene, request, encrypted)
        outcome = replace(outcome, request=encrypted)

    refused = refused_root(passage.distribution, request, passage.exchange.id)
    if refused is not None:
        return await _refuse(passage, scene, request, refused)
    asked = lookup.with_default_root_object(passage.distribution, outcome.request)
    verdict = await _look_up(passage, scene, outcome, asked)
    if verdict.response.status >= 400:
        return await _error(passage, scene, request, verdict)

    verdict = policy_headers.put_on(passage, scene, request, verdict)
    if outcome.result is not None and verdict.stored_as is not None:
        verdict = replace(verdict, stored_as=verdict.stored_as._replace(result=outcome.result))
    if verdict.response.status == 101:
        return verdict  # The connection leaves HTTP: no response function runs (CDN-WS-09, U).
    changed = await passage.services.hooks.viewer_response(scene, request, verdict.response)
    match changed:
        case Changed():
            if changed.response is verdict.response:
                return verdict
            return replace(verdict, response=changed.response)
        case Failed():
            verdict = Verdict(changed.response, changed.result_type, reason=changed.why)
            return await _error(passage, scene, request, verdict)


async def origin_facing(
    passage: Passage,
    scene: Scene,
    proceed: Proceed,
    asked: Asked | None,
    conditions: Headers | None,
) -> Fetched:
    """From a cache miss, or a cache's own ``conditions``, to an answer that may be stored.

    ``asked`` is None for what is not cacheable.
    """
    choice = choose(
        passage.distribution,
        scene.behavior,
        proceed.origin_change,
        proceed.request.viewer.scheme,
    )
    shielded = passage.services.tiers.shielded

    async def ask(target: Target) -> Fetched:
        fill = partial(_ask_target, passage, scene, proceed.request, target, asked)
        return await shielded(passage.exchange, asked, target.origin, fill, conditions)

    return await ask_in_order(choice, proceed.request, scene, ask)


async def _ask_target(
    passage: Passage,
    scene: Scene,
    request: Request,
    target: Target,
    asked: Asked | None,
    conditions: Headers | None,
) -> Fetched:
    """One origin's answer, or CloudFront's page for want of one (CDN-ERR-16).

    The primary of a group is asked each time: no Origin Shield keeps what leads on to the
    secondary, nor has a stale object stand in for it (CDN-OG-07, CDN-OG-17).
    """
    try:
        fetched = await _ask_origin(passage, scene, request, target, conditions)
        if asked is not None and not asked.rules.disabled:
            await refuse_oversized(fetched.response)
    except OriginFailure as failure:
        page = origin_error_page(failure.status, failure.kind, passage.exchange.id)
        fetched = Fetched(replace(page, why=failure.why), detail=failure.kind)
    return replace(fetched, may_store=False) if target.gives_way(fetched) else fetched


async def _ask_origin(
    passage: Passage, scene: Scene, request: Request, target: Target, conditions: Headers | None
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
    if scene.is_grpc:
        outgoing = forwarding.with_grpc_headers(outgoing, request)
    if conditions is not None:
        outgoing = outgoing.with_headers(revalidating(outgoing.headers, conditions))
    if target.host is not None:
        outgoing = outgoing.with_headers(outgoing.headers.with_set("Host", target.host))

    if scene.behavior.function_for(EventType.ORIGIN_REQUEST) is not None:
        await origin_fetch.resolve(passage, outgoing, origin)
    outcome = await services.hooks.origin_request(scene, outgoing, origin)
    match outcome:
        case Answered():
            generated = Fetched(outcome.response, detail="MissGeneratedResponse")
            return compress(scene, request, generated)
        case Failed():
            return Fetched(outcome.response, may_store=False, detail=outcome.result_type)
        case Proceed():
            outgoing, origin = outcome.request, outcome.origin or origin

    response = await origin_fetch.fetch(passage, outgoing, origin, is_grpc=scene.is_grpc)
    response = forwarding.from_origin(response, scene.behavior)

    changed = await services.hooks.origin_response(scene, outgoing, response, origin)
    match changed:
        case Changed():
            fetched = Fetched(forwarding.without_framing(changed.response))
            return compress(scene, request, fetched)
        case Failed():
            return Fetched(changed.response, may_store=False, detail=changed.result_type)


def set_scene(passage: Passage, request: Request, more: Mapping[str, str] | None = None) -> Scene:
    """Choose the behavior, once, from the path the viewer sent (LE-ORDER-02)."""
    with passage.exchange.step("behavior", before=request) as step:
        behavior = match_behavior(passage.distribution, request.path)
        step.decision = Decision(
            "matched",
            f"{request.path} matches {behavior.path_pattern}",
            {"path_pattern": behavior.path_pattern, "target_origin_id": behavior.target_origin_id},
        )
    generated = generated_headers(behavior, request, more)
    grpc = is_grpc(behavior, request)
    behavior = for_grpc(behavior) if grpc else behavior
    return Scene(passage.exchange, passage.distribution, behavior, generated, grpc)


async def _look_up(
    passage: Passage,
    scene: Scene,
    proceed: Proceed,
    request: Request,
    rules: CacheRules | None = None,
) -> Verdict:
    """The object for ``request`` by the rules of the behavior, unless others are given."""
    rules = rules or cache_rules(passage.distribution, scene.behavior)
    request = without_vain_range(request)
    if request is not proceed.request:
        proceed = replace(proceed, request=request)
    fill = partial(origin_facing, passage, scene, proceed)
    return await lookup.look_up(passage, scene, request, rules, fill)


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
    page = None
    if not scene.is_grpc:
        page = custom_errors.page_for(passage.distribution, request, verdict)
    if page is not None:
        verdict = replace(verdict, reason=verdict.why)  # Before the page's own steps.
        page_scene = set_scene(passage, page.request, page.about)
        now = passage.services.clock.now()
        rules = custom_errors.page_rules(scene, page_scene, verdict, now)
        proceed = Proceed(page.request)
        fetched = await _look_up(passage, page_scene, proceed, page.request, rules)
        verdict = await custom_errors.replace_page(page, verdict, fetched)
    return policy_headers.put_on(passage, scene, request, verdict)
