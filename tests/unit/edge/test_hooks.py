"""What the four hooks share: no function, no step; a body nobody sends is closed."""

from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.outcomes import Changed, Proceed
from edgeproxy.http.messages import Response
from edgeproxy.runtimes.cloudfront_js.outcome import Completed
from tests.unit.cache.scenes import ManualBody
from tests.unit.edge.scenes import WEB, Functions, Lambdas, associated, request, returned, scene


async def test_without_functions_nothing_happens_and_nothing_is_recorded() -> None:
    where, asked, answer = scene(), request(), Response(200)
    hooks = Hooks(Lambdas(returned(None)), Functions())
    assert await hooks.viewer_request(where, asked) == Proceed(asked)
    assert await hooks.origin_request(where, asked, WEB) == Proceed(asked)
    assert await hooks.origin_response(where, asked, answer, WEB) == Changed(answer)
    assert await hooks.viewer_response(where, asked, answer) == Changed(answer)
    assert where.exchange.steps == []


async def test_only_the_function_of_the_event_runs() -> None:
    lambdas = Lambdas(returned({"status": "200"}))
    where = scene(associated("origin-request"))
    hooks = Hooks(lambdas, Functions())
    await hooks.viewer_request(where, request())
    assert lambdas.calls == []
    await hooks.origin_request(where, request(), WEB)
    [step] = where.exchange.steps
    assert (step.name, step.decision and step.decision.kind) == ("origin-request", "answered")
    assert lambdas.events[0]["request"]["origin"]["custom"]["path"] == "/app"  # type: ignore[index]


async def test_the_body_that_a_function_replaced_is_closed() -> None:
    body = ManualBody()
    where = scene(associated("viewer-response", "cloudfront"))
    changed = Completed({"statusCode": 200, "headers": {}, "cookies": {}, "body": "new"})
    await Hooks(Lambdas(returned(None)), Functions(changed)).viewer_response(
        where, request(), Response(200, body=body)
    )
    assert body.closed


async def test_the_body_of_an_answer_that_a_failure_discards_is_closed() -> None:
    body = ManualBody()
    where = scene(associated("viewer-response", "cloudfront"))
    await Hooks(Lambdas(returned(None)), Functions(Completed(None))).viewer_response(
        where, request(), Response(200, body=body)
    )
    assert body.closed
    [step] = where.exchange.steps
    assert step.decision is not None
    assert step.decision.kind == "failed"
