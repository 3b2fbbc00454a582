"""The calls that bring a record to SQS, SNS, EventBridge or S3, or to what plays their part.

Calls are signed with the credentials of the user's environment, or with the placeholders that local
stand-ins commonly take.
"""

import ssl
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import orjson
from yarl import URL

from edgeproxy.awslambda.event_records import Message
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import CustomOrigin, Origin, OriginAccessControl
from edgeproxy.errors import EdgeproxyError
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins.signing import Credentials, sign

__all__ = ["AwsCalls", "CallRefused", "DeliveryFailed"]

_TIMEOUT_S: Final = 10
_SIGNED_AS: Final = {
    "SQS": "sqs",
    "EVENTBRIDGE": "events",
    "KINESIS": "kinesis",
    "DYNAMODB_STREAMS": "dynamodb",
}


class DeliveryFailed(EdgeproxyError):
    """A record did not arrive; nobody tries again (LI-197)."""


class CallRefused(DeliveryFailed):
    """The service has answered, and not with what was asked for."""


class AwsCalls:
    """Services by the names of ``--aws-endpoint``, and where each is."""

    def __init__(
        self, endpoints: Mapping[str, str], credentials: Credentials, clock: Clock
    ) -> None:
        self.endpoints = endpoints
        self._credentials = credentials
        self._clock = clock

    async def send_message(self, queue_arn: str, message: Message, trace_id: str) -> None:
        """SQS's ``SendMessage``, with the trace header beside the message (LI-273)."""
        region, account, name = queue_arn.split(":")[3:6]
        call: dict[str, object] = {
            "QueueUrl": f"{self.endpoints['SQS'].rstrip('/')}/{account}/{name}",
            "MessageBody": message.body,
            "MessageSystemAttributes": {
                "AWSTraceHeader": {"DataType": "String", "StringValue": trace_id}
            },
        }
        if message.attributes:
            call["MessageAttributes"] = {
                key: {"DataType": kind, "StringValue": value}
                for key, (kind, value) in message.attributes.items()
            }
        await self.json("SQS", "AmazonSQS.SendMessage", "1.0", call, region)

    async def publish(self, topic_arn: str, message: Message) -> None:
        """SNS's ``Publish``."""
        form = {
            "Action": "Publish",
            "Version": "2010-03-31",
            "TopicArn": topic_arn,
            "Message": message.body,
        }
        for number, (key, (kind, value)) in enumerate(message.attributes.items(), 1):
            entry = f"MessageAttributes.entry.{number}"
            form |= {
                f"{entry}.Name": key,
                f"{entry}.Value.DataType": kind,
                f"{entry}.Value.StringValue": value,
            }
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        region = topic_arn.split(":")[3]
        await self._call("SNS", "sns", "POST", "/", headers, urlencode(form).encode(), region)

    async def put_event(self, entry: Mapping[str, object], region: str) -> None:
        """EventBridge's ``PutEvents``, with one entry."""
        answer = await self.json(
            "EVENTBRIDGE", "AWSEvents.PutEvents", "1.1", {"Entries": [entry]}, region
        )
        try:
            failed = orjson.loads(answer)["FailedEntryCount"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            failed = 1  # whoever answers there, it is no event bus
        if failed:
            raise DeliveryFailed(f"the event bus refused it: {answer[:300]!r}")

    async def put_object(self, bucket: str, key: str, body: bytes) -> None:
        """S3's ``PutObject``."""
        path, headers = f"/{bucket}/{quote(key)}", {"Content-Type": "application/json"}
        await self._call("S3", "s3", "PUT", path, headers, body, self._credentials.region)

    async def json(
        self, service: str, target: str, version: str, call: Mapping[str, object], region: str
    ) -> bytes:
        """A call of a service that speaks AWS's JSON protocol."""
        headers = {"Content-Type": f"application/x-amz-json-{version}", "X-Amz-Target": target}
        return await self._call(
            service, _SIGNED_AS[service], "POST", "/", headers, orjson.dumps(call), region
        )

    async def _call(
        self,
        service: str,
        signed_as: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        region: str,
    ) -> bytes:
        endpoint = urlsplit(self.endpoints[service])
        base_path = endpoint.path.rstrip("/")
        lines = {
            "Host": endpoint.netloc,
            **headers,
            "X-Amz-Content-SHA256": sha256(body).hexdigest(),
        }
        request = sign(
            Request(method, path, headers=Headers(list(lines.items())), body=BytesBody(body)),
            Origin(
                service,
                endpoint.hostname or "",
                CustomOrigin(),
                access_control=OriginAccessControl("", origin_type=signed_as),
            ),
            replace(self._credentials, region=region),
            self._clock.now() - self._clock.offset_s,  # The far end's clock is not moved.
            base_path=base_path,
        )
        url = URL(f"{endpoint.scheme}://{endpoint.netloc}{base_path}{request.path}", encoded=True)
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_TIMEOUT_S)) as session,
                session.request(
                    method,
                    url,
                    headers=list(request.headers),
                    data=body,
                    allow_redirects=False,
                    ssl=_tls() if url.scheme == "https" else True,
                ) as response,
            ):
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DeliveryFailed(
                f"{service} cannot be reached at {self.endpoints[service]}: {error}",
                remedy=f"start it, or correct --aws-endpoint {service}=URL",
            ) from error
        if response.status >= 300:
            text = answer[:300].decode("utf-8", "replace")
            raise CallRefused(f"{service} answered {response.status}: {text}")
        return answer


@cache
def _tls() -> ssl.SSLContext:
    """Made with the first call, since it reads the authorities that the machine trusts."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
