"""The API beside recorded answers of the real service.

The records are another project's (``source`` in the file says whose, and under which licence). What
varies stands in them as ``<…>``.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from edgeproxy.testing import Edge, Site
from tests.support.lambda_api import ACCOUNT, create, lambda_client, package, template

FACTS: Final = json.loads(
    (Path(__file__).parents[1] / "golden" / "recorded_lambda.json").read_text()
)["facts"]
_VARYING: Final = ("date", "datetime", "timestamp")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Edge() as edge:
        folder = tmp_path_factory.mktemp("recorded")
        yield edge.serve(template(folder, "declared"), state_dir=folder / "state")


@pytest.fixture(scope="module")
def client(site: Site) -> Any:
    return lambda_client(site)


def answer_of(operation: Any, **parameters: Any) -> dict[str, Any]:
    """What boto3 gives or raises, as such records hold it."""
    try:
        answer: dict[str, Any] = operation(**parameters)
    except ClientError as error:
        answer = error.response
    plain: dict[str, Any] = json.loads(json.dumps(answer, default=lambda _: "datetime"))
    return plain | {
        "ResponseMetadata": {"HTTPStatusCode": answer["ResponseMetadata"]["HTTPStatusCode"]}
    }


def _text(recorded: str) -> str:
    """A recorded text as a pattern."""
    known = (
        recorded.replace("<partition>", "aws")
        .replace("<region>", "us-east-1")
        .replace("111111111111", ACCOUNT)
    )
    long = re.sub(r"<a:len\((\d+)\)>", lambda found: "a" * int(found[1]), known)
    parts = re.split(r"<[^<>]+>", long)
    return ".+".join(re.escape(part) for part in parts)


def differences(recorded: Any, answer: Any, place: str = "") -> list[str]:
    """Where an answer is not as recorded."""
    match recorded, answer:
        case dict(), dict():
            found = []
            for key in sorted({*recorded, *answer}):
                if key not in recorded or key not in answer:
                    found.append(f"{place}.{key}: {'more' if key in answer else 'missing'}")
                else:
                    found += differences(recorded[key], answer[key], f"{place}.{key}")
            return found
        case list(), list() if len(recorded) == len(answer):
            return [
                text
                for number, pair in enumerate(zip(recorded, answer, strict=True))
                for text in differences(*pair, f"{place}[{number}]")
            ]
        case str(), _ if recorded in _VARYING or re.fullmatch(_text(recorded), str(answer)):
            return []
        case _:
            return [] if recorded == answer else [f"{place}: {answer!r}, not {recorded!r}"]


def same(fact: str, name: str, answer: Any) -> None:
    recorded = FACTS[fact][name]
    # The runtime of the records is not that of the tests.
    for each in (recorded, recorded.get("Configuration", {}), *recorded.get("Versions", ())):
        if "Runtime" in each:
            each["Runtime"] = "<runtime>"
    assert differences(recorded, answer) == []


_ARN: Final = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function"
_ELSEWHERE: Final = f"arn:aws:lambda:invalid-region:{ACCOUNT}:function:my-function"
NAMES: Final = {
    "full_arn_and_qualifier_too_long_and_invalid_region": (f"{_ELSEWHERE}-{'a' * 170}", "a" * 129),
    "full_arn_with_multiple_qualifiers": (f"{_ARN}:my-function:1:2", ""),
    "function_name_and_qualifier_too_long": ("my-function", "a" * 65),
    "function_name_is_single_invalid": ("*", ""),
    "function_name_too_long": ("a" * 65, ""),
    "function_name_too_long_and_invalid_region": (_ELSEWHERE + "a" * 170, ""),
    "incomplete_arn": (_ARN, ""),
    "invalid_account_id_in_partial_arn": ("invalid-account:function:my-function", ""),
    "invalid_characters_in_function_name": ("my-function!", ""),
    "invalid_characters_in_qualifier": ("my-function", "invalid!"),
    "invalid_region_in_arn": (_ELSEWHERE, ""),
    "latest_version_with_additional_qualifier": ("my-function:$LATEST", "1"),
    "lowercase_latest_qualifier": ("my-function", "$latest"),
    "missing_account_id_in_arn": ("arn:aws:lambda:us-east-1::function:my-function", ""),
    "missing_region_in_arn": (f"arn:aws:lambda::{ACCOUNT}:function:my-function", ""),
    "misspelled_latest_in_arn": (f"{_ARN}:my-function:$LATES", ""),
    "non_lambda_arn": (f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance:i-1234567890abcdef0", ""),
    "partial_arn_with_extra_qualifier": ("function:my-function:$LATEST:extra", ""),
    "qualifier_too_long": ("my-function", "a" * 129),
    "qualifier_too_long1": ("my-function", "a" * 65),
}


@pytest.mark.rule("LI-002", "LI-003", "LI-004", "LI-005", "LI-006")
@pytest.mark.parametrize("operation", ["get_function", "delete_function"])
@pytest.mark.parametrize("case", NAMES)
def test_names_and_qualifiers(client: Any, case: str, operation: str) -> None:
    fact = FACTS[f"function_name_and_qualifier_validation[{case}-{operation}]"]
    recorded = fact[f"{operation}_exception"]
    name, qualifier = NAMES[case]
    more = {"Qualifier": qualifier} if qualifier else {}
    error = answer_of(getattr(client, operation), FunctionName=name, **more)["Error"]
    assert error["Code"] == recorded["Code"]
    count = recorded.get("Count")
    if count is None:
        assert re.fullmatch(_text(recorded["Message"]), error["Message"])
        return
    plural = "s" if count > 1 else ""
    assert error["Message"].startswith(f"{count} validation error{plural} detected: ")
    for each in recorded["Errors"]:
        assert re.search(_text(each), error["Message"])


@pytest.mark.rule("LI-006", "LI-080")
@pytest.mark.parametrize("fact", [name for name in FACTS if "nonexisting_fn" in name])
def test_functions_that_are_not_there(client: Any, fact: str) -> None:
    operation = re.findall(r"\[(\w+)\]", fact)[0]
    answer = answer_of(getattr(client, operation), FunctionName="not-there")
    same(fact, "not_found_exception", answer)


@pytest.mark.rule("LI-006", "LI-080")
@pytest.mark.parametrize("fact", [name for name in FACTS if "nonexisting_version" in name])
def test_versions_that_are_not_there(client: Any, fact: str) -> None:
    operation = re.findall(r"\[(\w+)\]", fact)[0]
    answer = answer_of(getattr(client, operation), FunctionName="declared", Qualifier="1221")
    same(fact, "version_not_found_exception", answer)


@pytest.mark.rule("LI-101", "LI-311", "LI-314", "LI-332", "LI-333", "LI-334", "LI-336")
def test_published_when_made(client: Any) -> None:
    def get(qualifier: str = "") -> dict[str, Any]:
        more = {"Qualifier": qualifier} if qualifier else {}
        return answer_of(client.get_function, FunctionName="made", **more)

    fact = "publish_version_on_create"
    create(client, "made", Publish=True)
    same(fact, "get_function_result", get())
    same(fact, "get_function_version_result", get("1"))
    same(fact, "get_function_latest_result", get("$LATEST"))
    listed = answer_of(client.list_versions_by_function, FunctionName="made")
    same(fact, "list_versions_result", listed)
    same(fact, "repeated_publish_response", answer_of(client.publish_version, FunctionName="made"))
    listed = answer_of(client.list_versions_by_function, FunctionName="made")
    same(fact, "list_versions_result_after_publish", listed)


@pytest.mark.rule("LI-102", "LI-311", "LI-336")
def test_published_when_updated(client: Any) -> None:
    create(client, "updated")
    same("publish_with_update", "get_function_result", answer_of(
        client.get_function, FunctionName="updated"
    ))  # fmt: skip
    changed = answer_of(
        client.update_function_code, FunctionName="updated", ZipFile=package("b"), Publish=True
    )
    same("publish_with_update", "update_function_code_result", changed)
    publish, name = client.publish_version, "updated"
    wrong = answer_of(publish, FunctionName=name, CodeSha256="somenonexistentsha256")
    same("publish_with_wrong_sha256", "publish_wrong_sha256_exc", wrong)
    wrong = answer_of(publish, FunctionName=name, RevisionId="doesntexist")
    same("publish_with_wrong_revisionid", "publish_wrong_revisionid_exc", wrong)
    sha256 = client.get_function_configuration(FunctionName=name)["CodeSha256"]
    same("publish_with_wrong_sha256", "publish_result", answer_of(
        publish, FunctionName=name, CodeSha256=sha256
    ))  # fmt: skip


@pytest.mark.rule("LI-155", "LI-198", "LI-341")
def test_configurations_of_asynchronous_invocation(client: Any) -> None:
    name, alias, own = "events", "eventinvokealias", f"{_ARN}:events"
    create(client, name)
    create(client, "other")
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    put, update = (
        client.put_function_event_invoke_config,
        client.update_function_event_invoke_config,
    )
    get, delete = (
        client.get_function_event_invoke_config,
        client.delete_function_event_invoke_config,
    )
    list_ = client.list_function_event_invoke_configs
    retries: Any = {"MaximumRetryAttempts": 1}

    def check(step: str, operation: Any, function: str = name, **parameters: Any) -> None:
        answer = answer_of(operation, FunctionName=function, **parameters)
        same("lambda_eventinvokeconfig_exceptions", step, answer)

    def to(arn: str, key: str = "OnSuccess") -> Any:
        return {"DestinationConfig": {key: {"Destination": arn}}}

    check("fn_alias_result", client.create_alias, Name=alias, FunctionVersion="1")
    check("put_functionname_name_notfound", put, "doesnotexist", **retries)
    check("put_functionname_arn_notfound", put, f"{_ARN}:doesnotexist", **retries)
    check("put_functionname_nootherargs", put)
    check("put_destination_lambda_doesntexist", put, **to(f"{_ARN}:doesnotexist"))
    check("put_destination_recursive", put, **to(own))
    check("put_destination_other_lambda", put, **to(f"{_ARN}:other"))
    odd = f"arn:aws:_-/!lambda:us-east-1:{ACCOUNT}:function:events"
    check("put_destination_invalid_arn_pattern", put, **to(odd, "OnFailure"))
    check("put_destination_invalid_service_arn", put, **to(own.replace("lambda", "iam")))
    for key in ("success", "failure"):
        nothing: Any = {"DestinationConfig": {f"On{key.title()}": {}}}
        check(f"put_destination_{key}_no_destination_arn", put, **nothing)
    check("put_destination_latest", put, **retries)
    check("put_destination_latest_explicit_qualifier", put, Qualifier="$LATEST", **retries)
    check("put_destination_version", put, Qualifier="1", **retries)
    check("put_version_shorthand", put, f"{name}:1", **retries)
    check("put_shorthand_qualifier_match", put, f"{name}:$LATEST", Qualifier="$LATEST", **retries)
    for number, (named, asked) in enumerate(
        [(f"{name}:1", "$LATEST"), (f"{name}:$LATEST", "1"), (f"{name}:{alias}", "1")], 1
    ):
        step = f"put_shorthand_qualifier_mismatch_{number}"
        check(step, put, named, Qualifier=asked, **retries)
    check("put_alias_functionname_qualifier", put, Qualifier=alias, **retries)
    check("put_alias_qualifiedarn", put, f"{own}:{alias}", **retries)
    check("put_alias_qualifiedarn_qualifier", put, f"{own}:{alias}", Qualifier=alias, **retries)
    conflict = "put_alias_qualifiedarn_qualifierconflict"
    check(conflict, put, f"{own}:{alias}", Qualifier="$LATEST", **retries)
    check("put_alias_shorthand", put, f"{name}:{alias}", **retries)
    check("put_alias_shorthand_qualifier", put, f"{name}:{alias}", Qualifier=alias, **retries)
    conflict = "put_alias_shorthand_qualifierconflict"
    check(conflict, put, f"{name}:{alias}", Qualifier="$LATEST", **retries)
    check("put_alias_doesnotexist", put, Qualifier="doesnotexist", **retries)
    both: Any = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 21600}
    check("put_maxevent_maxvalue_result", put, **both)
    check("put_pre_overwrite", put, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=60)
    check("put_post_overwrite", put, MaximumRetryAttempts=0)
    check("second_overwrite_existing_response", put, MaximumRetryAttempts=0)
    check("get_post_overwrite", get)
    check("pre_update_response", put, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=60)
    check("update_response", update, MaximumRetryAttempts=0)
    check("update_response_existing", update, MaximumRetryAttempts=0)
    check("list_configs", list_)
    check("list_function_doesnotexist", list_, "doesnotexist")
    check("get_function_doesnotexist", get, "doesnotexist")
    check("get_qualifier_doesnotexist", get, Qualifier="doesnotexist")
    check("delete_latest", delete)
    check("delete_version", delete, Qualifier="1")
    check("delete_alias", delete, Qualifier=alias)
    check("list_configs_postdelete", list_)
    check("get_eventinvokeconfig_doesnotexist", get, Qualifier=alias)
    check("delete_function_not_found", delete)
    check("delete_function_doesnotexist", delete, "doesnotexist")
    missing = "update_eventinvokeconfig_config_doesnotexist_with_qualifier"
    check(missing, update, Qualifier=alias, **retries)
    missing = "update_eventinvokeconfig_config_doesnotexist_without_qualifier"
    check(missing, update, **retries)
    check("update_eventinvokeconfig_function_doesnotexist", update, "doesnotexist", **retries)
