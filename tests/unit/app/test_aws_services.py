"""Where services are, by options and environment."""

import pytest

from edgeproxy.app.aws_services import s3_endpoint, service_endpoints
from edgeproxy.errors import UsageError
from edgeproxy.settings import Settings
from edgeproxy.testing import Edge

NAMED = {"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_S3": "http://named"}


def test_an_option_wins_over_the_variable_for_s3_and_that_over_the_one_for_all() -> None:
    assert s3_endpoint(Settings(), {}) == ""
    assert s3_endpoint(Settings(), {"AWS_ENDPOINT_URL": "http://all"}) == "http://all"
    assert s3_endpoint(Settings(), NAMED) == "http://named"
    assert s3_endpoint(Settings(aws_endpoint=("s3=http://told",)), NAMED) == "http://told"


def test_each_service_has_an_endpoint_of_its_own() -> None:
    given = Settings(aws_endpoint=("SQS=http://told", "Events=http://bus"))
    assert service_endpoints(given, {"AWS_ENDPOINT_URL_SNS": "http://topics"}) == {
        "SQS": "http://told",
        "SNS": "http://topics",
        "EVENTBRIDGE": "http://bus",
    }
    assert service_endpoints(given, NAMED) == {
        "S3": "http://named",
        "SQS": "http://told",
        "SNS": "http://all",
        "EVENTBRIDGE": "http://bus",
        "KINESIS": "http://all",
        "DYNAMODB": "http://all",
        "DYNAMODB_STREAMS": "http://all",
    }


def test_streams_of_tables_are_where_the_tables_are() -> None:
    given = Settings(aws_endpoint=("DynamoDB=http://tables",))
    assert service_endpoints(given, {})["DYNAMODB_STREAMS"] == "http://tables"
    own = {"AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://streams"}
    variables = {**own, "AWS_ENDPOINT_URL_DYNAMODB": "http://tables"}
    assert service_endpoints(Settings(), variables)["DYNAMODB_STREAMS"] == "http://streams"


@pytest.mark.parametrize("url", ["ftp://host", "host", "http://", "http://u@host", "http://h:x"])
def test_an_endpoint_is_the_url_of_a_server(url: str) -> None:
    with pytest.raises(UsageError, match="--aws-endpoint SQS="):
        service_endpoints(Settings(aws_endpoint=(f"sqs={url}",)), {})


@pytest.mark.parametrize("text", ["IOT=http://127.0.0.1:1", "S3=", "http://127.0.0.1:1"])
def test_other_services_and_forms_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--aws-endpoint") as error:
        s3_endpoint(Settings(aws_endpoint=(text,)), {})
    assert "S3=http" in error.value.remedy


@pytest.mark.parametrize("url", ["http://user@host", "ftp://host", "http://host/?q", "http://h:x"])
def test_a_url_that_cannot_be_one_is_told_with_its_option(edge: Edge, url: str) -> None:
    with pytest.raises(UsageError, match="--aws-endpoint S3="):
        edge.serve("http://localhost:1", aws_endpoint=(f"S3={url}",))
