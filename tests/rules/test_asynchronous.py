"""Asynchronous invocation: the queue, retries, dead-letter queues, destinations, loops."""

import http.client
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.testing import Edge
from tests.support.asynchronous import ACCOUNT, Queue, event_invoke, function, until
from tests.support.ports import free_port

SQS = f"arn:aws:sqs:{ACCOUNT}:"
SNS = f"arn:aws:sns:{ACCOUNT}:"
BUS = f"arn:aws:events:{ACCOUNT}:event-bus/main"
LAMBDA = f"arn:aws:lambda:{ACCOUNT}:function:"
FAIL = {"fail": "boom"}

Serve = Callable[..., Queue]


@pytest.fixture
def serve(edge: Edge, tmp_path: Path) -> Serve:
    """Serves resources; the function ``f`` is always there."""

    def start(options: dict[str, Any] | None = None, **resources: Any) -> Queue:
        return Queue(edge, tmp_path, {"f": function(), **resources}, **(options or {}))

    return start


@pytest.mark.rule("LI-150", "LI-254")
def test_an_event_is_accepted_before_it_runs_and_runs_once(serve: Serve) -> None:
    queue = serve()
    slow = queue.submit({"sleep": 0.5})
    assert queue.submit({"n": 1}) != slow
    seen = queue.seen(2)
    assert sorted(event.get("n", 0) for _, event, _ in seen) == [0, 1]
    until(lambda: queue.metric("Invocations") == 2)
    assert (queue.metric("AsyncEventsReceived"), queue.metric("AsyncEventsDropped")) == (2, 0)


@pytest.mark.rule("LI-151", "LI-156", "LI-191", "LI-192", "LI-254")
def test_a_function_that_fails_has_three_attempts_under_one_request_id(serve: Serve) -> None:
    queue = serve(C=event_invoke("f", failure=SQS + "q"))
    request_id = queue.submit(FAIL)
    for delay_s in (60, 120):
        before = len(queue.seen(1))
        queue.retried_after(delay_s - 30)  # some real time passes as well
        assert len(queue.seen(1)) == before
        queue.retried_after(31)
        queue.seen(before + 1)
    (record,) = queue.told("sqs-q")
    assert [seen[0] for seen in queue.seen(3)] == [request_id] * 3
    assert list(record) == [
        "version", "timestamp", "requestContext", "requestPayload", "responseContext",
        "responsePayload",
    ]  # fmt: skip
    assert record["version"] == "1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"])
    assert list(record["requestContext"].items()) == [
        ("requestId", request_id),
        ("functionArn", f"{LAMBDA}f:$LATEST"),
        ("condition", "RetriesExhausted"),
        ("approximateInvokeCount", 3),
    ]
    assert record["requestPayload"] == FAIL
    assert record["responseContext"] == {
        "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
    }  # fmt: skip
    answer = record["responsePayload"]
    assert (answer["errorMessage"], answer["errorType"]) == ("boom", "Exception")
    assert (answer["requestId"], len(answer["stackTrace"])) == (request_id, 1)
    assert queue.metric("AsyncEventsDropped") == 1
    # Ages of 0, one and three minutes, in milliseconds.
    assert 240_000 < queue.metric("AsyncEventAge") < 270_000


@pytest.mark.rule("LI-152", "LI-154")
def test_a_throttled_event_uses_up_no_attempt(serve: Serve, tmp_path: Path) -> None:
    queue = serve(
        f=function(ReservedConcurrentExecutions=1, Timeout=60),
        C=event_invoke("f", success=SQS + "q", MaximumRetryAttempts=0),
    )
    queue.submit({"until": str(tmp_path / "go")})
    queue.submit({"n": 1})
    until(lambda: queue.metric("Throttles"))
    (tmp_path / "go").touch()
    counts = [each["requestContext"]["approximateInvokeCount"] for each in queue.told("sqs-q", 2)]
    assert counts == [1, 1]
    assert queue.metric("AsyncEventsDropped") == 0


@pytest.mark.rule("LI-153", "LI-192")
def test_an_event_is_given_up_when_its_next_retry_would_come_too_late(serve: Serve) -> None:
    queue = serve(C=event_invoke("f", failure=SQS + "q", MaximumEventAgeInSeconds=60))
    queue.submit(FAIL)
    (record,) = queue.told("sqs-q")
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 1)
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "boom"


@pytest.mark.rule("LI-153")
def test_an_event_that_has_become_too_old_does_not_run(serve: Serve) -> None:
    queue = serve(C=event_invoke("f", failure=SQS + "q"))
    queue.submit(FAIL)
    queue.retried_after(7 * 3600)
    (record,) = queue.told("sqs-q")
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 1)
    assert len(queue.seen(1)) == 1


@pytest.mark.rule("LI-154", "LI-171", "LI-194")
def test_a_reservation_of_nothing_sends_events_straight_on(serve: Serve) -> None:
    queue = serve(
        f=function(ReservedConcurrentExecutions=0, DeadLetterConfig={"TargetArn": SQS + "dead"}),
        C=event_invoke("f", failure=SQS + "q"),
    )
    request_id = queue.submit({"n": 1})
    (record,) = queue.told("sqs-q")
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert not {"responseContext", "responsePayload"} & record.keys()
    (dead,) = queue.told("sqs-dead")
    assert json.loads(dead["Body"]) == {"n": 1}
    assert dead["MessageAttributes"]["RequestID"]["StringValue"] == request_id


@pytest.mark.rule("LI-154")
def test_a_reservation_that_is_raised_lets_the_next_events_run(serve: Serve) -> None:
    queue = serve(C=event_invoke("f", success=SQS + "yes", failure=SQS + "no"))
    queue.api.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    queue.submit({"n": 1})
    queue.told("sqs-no")
    queue.api.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    queue.submit({"n": 2})
    (record,) = queue.told("sqs-yes")
    assert record["requestPayload"] == {"n": 2}
    assert len(queue.seen(1)) == 1


@pytest.mark.rule("LI-152", "LI-157")
def test_events_of_a_function_that_is_gone_wait_for_it(serve: Serve) -> None:
    queue = serve(g=function())
    queue.submit(FAIL, name="g")
    queue.seen(1)
    until(lambda: queue.site.running.program.events.is_waiting)
    made = queue.api.get_function_configuration(FunctionName="g")
    queue.api.delete_function(FunctionName="g")
    queue.edge.clock.advance(seconds=61)

    def waits_for_long() -> bool:
        due_in_s = queue.due_in_s()
        if due_in_s < 60:
            queue.edge.clock.advance(seconds=60)
        return due_in_s >= 60

    # It comes in vain again and again, so that it does not come while the function is made anew.
    until(waits_for_long)
    code = "def handler(event, context):\n    return 'back'"
    queue.api.create_function(
        FunctionName="g", Runtime=made["Runtime"], Handler="app.handler", Role=made["Role"],
        Code={"ZipFile": _zip(code)},
    )  # fmt: skip
    queue.api.put_function_event_invoke_config(
        FunctionName="g", DestinationConfig={"OnSuccess": {"Destination": SQS + "q"}}
    )
    queue.edge.clock.advance(seconds=300)
    (record,) = queue.told("sqs-q")
    assert record["responsePayload"] == "back"
    assert record["requestContext"]["approximateInvokeCount"] == 2


@pytest.mark.rule("LI-158")
def test_a_clock_that_goes_back_takes_waiting_events_along(serve: Serve) -> None:
    queue = serve()
    queue.edge.clock.advance(hours=5)
    queue.submit(FAIL)
    queue.seen(1)
    until(lambda: queue.site.running.program.events.is_waiting)
    queue.edge.clock.reset()
    queue.retried_after(301)  # not five hours, to which its times belong
    queue.seen(2)
    assert queue.metric("AsyncEventAge") == pytest.approx(0, abs=5_000)


def test_waiting_events_can_be_seen(serve: Serve) -> None:
    queue = serve()
    url = queue.site.endpoints["control"]
    empty = queue.site.get("/api/events", url=url)
    assert json.loads(empty.text) == {"count": 0, "events": []}
    request_id = queue.submit(FAIL)
    queue.submit(FAIL)
    queue.seen(2)
    until(lambda: queue.site.running.program.events.is_waiting)
    document = json.loads(queue.site.get("/api/events?limit=1", url=url).text)
    (event,) = document["events"]
    assert (document["count"], event["request_id"]) == (2, request_id)
    assert (event["function"], event["state"], event["attempts"]) == ("f", "waiting", 1)
    assert event["accepted"] < event["due"]


def test_a_trace_header_that_is_no_text_costs_nothing(serve: Serve) -> None:
    queue = serve()
    host, _, port = queue.site.endpoints["control"].removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port))
    headers: dict[str, str | bytes] = {
        "X-Amz-Invocation-Type": "Event",
        "X-Amzn-Trace-Id": b"Root=\xff",
    }
    connection.request("POST", "/2015-03-31/functions/f/invocations", b"{}", headers)
    assert connection.getresponse().status == 202
    connection.close()
    queue.seen(1)


@pytest.mark.rule("LI-155", "LI-193")
def test_the_configuration_of_the_qualifier_counts(serve: Serve) -> None:
    queue = serve(
        V={"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": "f"}},
        A={
            "Type": "AWS::Lambda::Alias",
            "Properties": {"Name": "live", "FunctionName": "f", "FunctionVersion": "1"},
        },
        C=event_invoke("f", success=SQS + "latest"),
        D=event_invoke("f", success=SQS + "alias", Qualifier="live"),
    )
    queue.submit({"n": 1})
    queue.submit({"n": 2}, Qualifier="live")
    queue.submit({"n": 3}, Qualifier="1")
    (latest,), (alias,) = queue.told("sqs-latest"), queue.told("sqs-alias")
    assert (latest["requestPayload"], alias["requestPayload"]) == ({"n": 1}, {"n": 2})
    assert alias["requestContext"]["functionArn"] == f"{LAMBDA}f:live"
    assert alias["responseContext"] == {"statusCode": 200, "executedVersion": "1"}
    assert (alias["requestContext"]["condition"], alias["responsePayload"]) == (
        "Success",
        {"done": 1},
    )
    queue.seen(3)
    assert {file.stem for file in (queue.state / "destinations").iterdir()} == {
        "sqs-latest",
        "sqs-alias",
    }


def _zip(code: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.py", code)
    return file.getvalue()


@pytest.mark.rule("LI-157")
def test_waiting_events_run_the_code_of_the_day(serve: Serve) -> None:
    queue = serve(C=event_invoke("f", success=SQS + "q"))
    queue.submit(FAIL)
    queue.seen(1)
    code = _zip("def handler(event, context):\n    return 'mended'")
    queue.api.update_function_code(FunctionName="f", ZipFile=code)
    queue.retried_after(61)
    (record,) = queue.told("sqs-q")
    assert record["responsePayload"] == "mended"
    assert record["requestContext"]["approximateInvokeCount"] == 2


@pytest.mark.rule("LI-171", "LI-172", "LI-175")
def test_a_dead_letter_is_the_event_as_it_came(serve: Serve) -> None:
    queue = serve(
        f=function(DeadLetterConfig={"TargetArn": SQS + "dead"}),
        C=event_invoke("f", failure=SQS + "q", MaximumRetryAttempts=0),
    )
    message = "ü" * 1000
    body = b'{"fail" :\t"' + message.encode() + b'"}'
    answer = queue.api.invoke(FunctionName="f", InvocationType="Event", Payload=body)
    (dead,) = queue.told("sqs-dead")
    assert dead["Body"].encode() == body
    assert dead["MessageAttributes"] == {
        "RequestID": {
            "DataType": "String",
            "StringValue": answer["ResponseMetadata"]["RequestId"],
        },
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "ü" * 512},
    }
    assert queue.told("sqs-q")[0]["requestContext"]["condition"] == "RetriesExhausted"
    assert len(queue.seen(1)) == 1


@pytest.mark.rule("LI-173")
def test_a_dead_letter_of_an_event_that_was_only_throttled(serve: Serve, tmp_path: Path) -> None:
    queue = serve(
        f=function(
            ReservedConcurrentExecutions=1,
            DeadLetterConfig={"TargetArn": SNS + "dead"},
            Timeout=60,
        ),
        C=event_invoke("f", MaximumEventAgeInSeconds=60),
    )
    queue.submit({"until": str(tmp_path / "go")})
    queue.seen(1)
    queue.submit({"n": 1})
    until(lambda: queue.metric("Throttles"))
    queue.edge.clock.advance(seconds=61)
    (dead,) = queue.told("sns-dead")
    (tmp_path / "go").touch()
    attributes = dead["MessageAttributes"]
    assert attributes["ErrorCode"]["StringValue"] == "429"
    assert attributes["ErrorMessage"]["StringValue"] == "Rate Exceeded."


@pytest.mark.rule("LI-170")
def test_a_dead_letter_queue_belongs_to_a_version(serve: Serve) -> None:
    queue = serve(
        f=function(DeadLetterConfig={"TargetArn": SQS + "first"}),
        C=event_invoke("f", MaximumRetryAttempts=0),
    )
    version = queue.api.publish_version(FunctionName="f")["Version"]
    queue.api.put_function_event_invoke_config(
        FunctionName="f", Qualifier=version, MaximumRetryAttempts=0
    )
    queue.api.update_function_configuration(
        FunctionName="f", DeadLetterConfig={"TargetArn": SQS + "second"}
    )
    queue.submit({"fail": "of the version"}, Qualifier=version)
    queue.submit({"fail": "of the latest"})
    (first,), (second,) = queue.told("sqs-first"), queue.told("sqs-second")
    assert (json.loads(first["Body"])["fail"], json.loads(second["Body"])["fail"]) == (
        "of the version",
        "of the latest",
    )
    queue.api.update_function_configuration(FunctionName="f", DeadLetterConfig={"TargetArn": ""})
    queue.submit({"fail": "told to nobody"})
    until(lambda: queue.metric("AsyncEventsDropped") == 3)
    assert len(queue.told("sqs-second")) == 1


@pytest.mark.parametrize("arn", [SQS + "dead.fifo", SNS + "dead.fifo", LAMBDA + "g", BUS])
@pytest.mark.rule("LI-170")
def test_dead_letters_go_to_standard_queues_and_topics_only(serve: Serve, arn: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        serve(f=function(DeadLetterConfig={"TargetArn": arn}))
    assert (refused.value.rule, refused.value.place.path) == (
        "LI-170",
        "Resources.f.Properties.DeadLetterConfig.TargetArn",
    )


@pytest.mark.rule("LI-170", "LI-190")
def test_the_api_refuses_targets_that_lambda_has_not(serve: Serve) -> None:
    queue = serve()
    invalid = queue.api.exceptions.InvalidParameterValueException
    for arn in (SQS + "dead.fifo", BUS):
        with pytest.raises(invalid, match="standard SQS queue"):
            queue.api.update_function_configuration(
                FunctionName="f", DeadLetterConfig={"TargetArn": arn}
            )
    for outcome, arn in (
        ("OnSuccess", "arn:aws:s3:::kept"),
        ("OnSuccess", SQS + "q.fifo"),
        ("OnFailure", SNS + "t.fifo"),
        ("OnFailure", f"arn:aws:kinesis:{ACCOUNT}:stream/s"),
    ):
        with pytest.raises(invalid, match="is invalid"):
            queue.api.put_function_event_invoke_config(
                FunctionName="f", DestinationConfig={outcome: {"Destination": arn}}
            )


@pytest.mark.rule("LI-190")
def test_a_destination_may_be_an_alias_of_another_function(serve: Serve) -> None:
    queue = serve(
        g=function(),
        V={"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": "g"}},
        A={
            "Type": "AWS::Lambda::Alias",
            "Properties": {"Name": "live", "FunctionName": "g", "FunctionVersion": "1"},
        },
        C=event_invoke("f", success=LAMBDA + "g:live"),
        D=event_invoke("g", success=SQS + "q", Qualifier="live"),
    )
    queue.submit({"n": 1})
    (record,) = queue.told("sqs-q")
    assert record["requestContext"]["functionArn"] == f"{LAMBDA}g:live"
    assert record["responseContext"]["executedVersion"] == "1"


@pytest.mark.rule("LI-190", "LI-195", "LI-176")
def test_other_functions_topics_buses_and_buckets_are_told(serve: Serve) -> None:
    queue = serve(
        g=function(),
        C=event_invoke("f", LAMBDA + "g", BUS, MaximumRetryAttempts=0),
        D=event_invoke("g", SNS + "t", "arn:aws:s3:::kept", MaximumRetryAttempts=0),
    )
    request_id = queue.submit({"n": 1})
    (told,) = queue.told("sns-t")
    seen = queue.seen(2)
    assert seen[1][1]["requestContext"]["requestId"] == request_id  # g got f's record as event
    assert told["requestPayload"] == seen[1][1]
    assert told["requestContext"]["functionArn"] == f"{LAMBDA}g:$LATEST"
    queue.submit(FAIL)
    (event,) = queue.told("eventbridge-main")
    assert (event["source"], event["detail-type"]) == (
        "lambda",
        "Lambda Function Invocation Result - Failure",
    )
    assert event["resources"] == [BUS, f"{LAMBDA}f:$LATEST"]
    assert event["detail"]["requestPayload"] == FAIL
    queue.submit(FAIL, name="g")
    assert queue.told("s3-kept")[0]["requestContext"]["condition"] == "RetriesExhausted"


@pytest.mark.rule("LI-174", "LI-197", "LI-251")
def test_who_cannot_be_told_is_not_told_again(serve: Serve) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    queue = serve(
        {"aws_endpoint": (f"SQS={nobody}", f"EVENTS={nobody}")},
        f=function(DeadLetterConfig={"TargetArn": SQS + "dead"}),
        C=event_invoke("f", failure=BUS, MaximumRetryAttempts=0),
    )
    queue.submit(FAIL)
    until(lambda: queue.metric("DeadLetterErrors") == 1)
    assert queue.metric("DestinationDeliveryFailures") == 1
    assert "EVENTBRIDGE cannot be reached" in queue.site.console
    assert "an event of f is lost" in queue.site.console
    queue.edge.clock.advance(hours=1)
    queue.submit({"n": 1})
    queue.seen(2)
    assert queue.metric("DeadLetterErrors") == 1


@pytest.mark.rule("LI-197")
def test_synchronous_invocations_make_no_records(serve: Serve) -> None:
    queue = serve(C=event_invoke("f", SQS + "q", SQS + "q"))
    queue.api.invoke(FunctionName="f", Payload=json.dumps(FAIL))
    queue.api.invoke(FunctionName="f", Payload=b"{}")
    request_id = queue.submit({"n": 1})
    records = queue.told("sqs-q")
    assert [record["requestContext"]["requestId"] for record in records] == [request_id]


@pytest.mark.rule("LI-230", "LI-231", "LI-233", "LI-251")
def test_a_loop_of_functions_is_ended_after_sixteen_passes(serve: Serve) -> None:
    queue = serve(
        f=function(DeadLetterConfig={"TargetArn": SQS + "dead"}),
        g=function(),
        C=event_invoke("f", success=LAMBDA + "g"),
        D=event_invoke("g", success=LAMBDA + "f"),
    )
    queue.submit({"n": 1})
    (dead,) = queue.told("sqs-dead")
    assert "requestPayload" in json.loads(dead["Body"])
    assert dead["MessageAttributes"]["ErrorCode"]["StringValue"] == "400"
    assert "loop" in dead["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert len(queue.seen(32)) == 32  # sixteen runs of each
    assert queue.metric("RecursiveInvocationsDropped") == 1


@pytest.mark.rule("LI-230")
def test_a_function_may_allow_loops(serve: Serve) -> None:
    queue = serve(
        f=function(RecursiveLoop="Allow"),
        g=function(RecursiveLoop="Allow"),
        C=event_invoke("f", success=LAMBDA + "g"),
        D=event_invoke("g", success=LAMBDA + "f"),
    )
    queue.submit({"n": 1})
    queue.seen(40)
    assert queue.metric("RecursiveInvocationsDropped") == 0


@pytest.mark.rule("LI-231", "LI-232")
@pytest.mark.parametrize("operation", ["Invoke", "InvokeWithResponseStream"])
def test_a_synchronous_call_in_a_loop_is_refused(serve: Serve, operation: str) -> None:
    queue = serve()
    trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"
    invoke = {
        "Invoke": queue.api.invoke,
        "InvokeWithResponseStream": queue.api.invoke_with_response_stream,
    }[operation]

    def call(trace: str) -> None:
        """One call, with the header that the SDK of a function would pass on."""

        def add(request: Any, **_: object) -> None:
            request.headers["X-Amzn-Trace-Id"] = trace

        event = f"before-sign.lambda.{operation}"
        queue.api.meta.events.register_first(event, add, unique_id="trace")
        try:
            list(invoke(FunctionName="f", Payload=b"{}").get("EventStream", ()))
        finally:
            queue.api.meta.events.unregister(event, unique_id="trace")

    for number in range(16):
        call(trace)
        trace = queue.seen(number + 1)[-1][2]
        assert "Lineage=" in trace
    with pytest.raises(queue.api.exceptions.RecursiveInvocationException) as refused:
        call(trace)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert len(queue.seen(16)) == 16
    assert queue.metric("RecursiveInvocationsDropped") == 1


@pytest.mark.rule("LI-158")
def test_what_was_accepted_outlives_the_edge(serve: Serve, tmp_path: Path) -> None:
    queue = serve()
    request_id = queue.submit(FAIL)
    queue.seen(1)
    until(lambda: queue.site.running.program.events.is_waiting)
    queue.edge.call(queue.site.running.__aexit__())
    queue.edge.sites.remove(queue.site)
    with Edge() as edge:
        later = Queue(edge, tmp_path, {"f": function()})
        later.retried_after(61)
        assert [seen[0] for seen in later.seen(2)] == [request_id] * 2
