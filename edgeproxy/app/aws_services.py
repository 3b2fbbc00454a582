"""Where services of AWS are, and who we are to them: ``--aws-endpoint`` and AWS's own variables."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from edgeproxy.errors import UsageError
from edgeproxy.settings import Settings

__all__ = ["s3_endpoint", "service_endpoints"]

_SERVICES: Final = (
    "S3", "SQS", "SNS", "EVENTBRIDGE", "KINESIS", "DYNAMODB", "DYNAMODB_STREAMS",
)  # fmt: skip


def s3_endpoint(settings: Settings, environment: Mapping[str, str]) -> str:
    """The URL at which buckets are asked for; empty when they are on AWS."""
    return service_endpoints(settings, environment).get("S3", "")


def service_endpoints(settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The URLs of services by name; those that are on AWS are missing.

    An option wins over ``AWS_ENDPOINT_URL_<SERVICE>``, and that over ``AWS_ENDPOINT_URL``. Raises
    :class:`UsageError` for a service that nothing here asks.
    """
    given = {}
    for text in settings.aws_endpoint:
        name, equals, url = text.partition("=")
        service = "EVENTBRIDGE" if name.upper() == "EVENTS" else name.upper()
        if not (equals and url) or service not in _SERVICES:
            raise UsageError(
                f"--aws-endpoint {text!r} is not the endpoint of a service that edgeproxy asks",
                remedy=f"SERVICE=URL, for example S3=http://127.0.0.1:9000; services are "
                f"{', '.join(_SERVICES)}",
            )
        given[service] = url
    if "DYNAMODB" in given:  # A local one serves its streams as well.
        given.setdefault("DYNAMODB_STREAMS", given["DYNAMODB"])
    found = {}
    for service in _SERVICES:
        named = environment.get(f"AWS_ENDPOINT_URL_{service}")
        if url := given.get(service) or named or environment.get("AWS_ENDPOINT_URL") or "":
            if service != "S3" and not _can_be_asked(url):  # that of S3 is an origin's
                raise UsageError(
                    f"--aws-endpoint {service}={url} is no URL of a server",
                    remedy="such as http://127.0.0.1:9324",
                )
            found[service] = url
    if "DYNAMODB" in found:
        found.setdefault("DYNAMODB_STREAMS", found["DYNAMODB"])
    return found


def _can_be_asked(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_plain = not (parts.username or parts.query or parts.fragment)
    return is_plain and parts.scheme in ("http", "https") and bool(parts.hostname)
