"""Sample events of what speaks HTTP to a function: API Gateway, load balancers, function URLs
and AppSync.

Those of load balancers and function URLs are made as the doors of this project make them.
"""

from typing import Any, Final

import orjson

from edgeproxy.events import alb, function_url
from edgeproxy.events.samples.facts import (
    ACCOUNT,
    MILLISECONDS,
    REGION,
    SECONDS,
    Document,
    Json,
)
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Viewer

__all__ = [
    "alb_request",
    "apigateway_authorizer_request",
    "apigateway_authorizer_token",
    "apigateway_http",
    "apigateway_http_authorizer",
    "apigateway_request",
    "apigateway_websocket_connect",
    "apigateway_websocket_message",
    "appsync_resolver",
    "function_url_request",
]

_AGENT: Final = "curl/8.14.1"
_ADDRESS: Final = "198.51.100.178"
_API: Final = "a1b2c3d4e5"
_REQUEST_ID: Final = "0d3e5a8b-6c1f-4f5e-9a57-3b1c2d4e6f70"
_TRACE: Final = "Root=1-69b52a0d-5f84a1c2d3e4b5a6978877aa"
_TIME: Final = "14/Mar/2026:09:26:53 +0000"


def apigateway_request(
    path: str = "/orders",
    method: str = "POST",
    body: str = '{"item": "book"}',
    stage: str = "prod",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A request to a REST API with proxy integration (payload version 1.0)."""
    headers = _headers(f"{_API}.execute-api.{region}.amazonaws.com")
    query = {"page": "1"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
        "pathParameters": {"proxy": path.removeprefix("/")},
        "stageVariables": None,
        "requestContext": _rest_context(path, method, stage, region, account),
        "body": body,
        "isBase64Encoded": False,
    }


def apigateway_http(
    path: str = "/orders",
    method: str = "POST",
    body: str = '{"item": "book"}',
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A request to an HTTP API (payload version 2.0)."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "page=1",
        "cookies": ["session=17"],
        "headers": _lower(_headers(f"{_API}.execute-api.{region}.amazonaws.com")),
        "queryStringParameters": {"page": "1"},
        "requestContext": _http_context(path, method, region, account),
        "body": body,
        "isBase64Encoded": False,
    }


def apigateway_authorizer_token(
    token: str = "Bearer sample",
    path: str = "/orders",
    method: str = "GET",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A REST API asks a token authorizer."""
    arn = f"arn:aws:execute-api:{region}:{account}:{_API}/prod/{method}{path}"
    return {"type": "TOKEN", "methodArn": arn, "authorizationToken": token}


def apigateway_authorizer_request(
    token: str = "Bearer sample",
    path: str = "/orders",
    method: str = "GET",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A REST API asks a request authorizer."""
    request = apigateway_request(path, method, "", "prod", region, account)
    del request["body"], request["isBase64Encoded"]
    request["headers"]["Authorization"] = token
    request["multiValueHeaders"]["Authorization"] = [token]
    arn = f"arn:aws:execute-api:{region}:{account}:{_API}/prod/{method}{path}"
    return {"type": "REQUEST", "methodArn": arn, **request}


def apigateway_http_authorizer(
    token: str = "Bearer sample",
    path: str = "/orders",
    method: str = "GET",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """An HTTP API asks an authorizer (payload version 2.0)."""
    request = apigateway_http(path, method, "", region, account)
    del request["body"], request["isBase64Encoded"]
    request["headers"]["authorization"] = token
    route = f"arn:aws:execute-api:{region}:{account}:{_API}/$default/{method}{path}"
    return {**request, "type": "REQUEST", "routeArn": route, "identitySource": [token]}


def apigateway_websocket_connect(stage: str = "prod", region: str = REGION) -> Document:
    """A client connects to a WebSocket API."""
    host = f"{_API}.execute-api.{region}.amazonaws.com"
    headers = {
        "Host": host,
        "Sec-WebSocket-Key": "c2FtcGxlIG5vbmNlIGtleQ==",
        "Sec-WebSocket-Version": "13",
        "X-Amzn-Trace-Id": _TRACE,
        "X-Forwarded-For": _ADDRESS,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    return {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": _websocket_context("$connect", "CONNECT", stage, host),
        "isBase64Encoded": False,
    }


def apigateway_websocket_message(
    body: str = '{"action": "greet"}', stage: str = "prod", region: str = REGION
) -> Document:
    """A client sends a message through a WebSocket API."""
    host = f"{_API}.execute-api.{region}.amazonaws.com"
    context = _websocket_context("$default", "MESSAGE", stage, host)
    return {
        "requestContext": {**context, "messageId": "UH0AIe0kIAMCIbw="},
        "body": body,
        "isBase64Encoded": False,
    }


def alb_request(
    path: str = "/orders",
    method: str = "POST",
    body: str = '{"item": "book"}',
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A request that an Application Load Balancer forwards to a target group."""
    group = f"arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/sample/6d0ecf831eec9f09"
    headers = _lower(_headers(f"sample-17.{region}.elb.amazonaws.com"))
    request = Request(method, path, "page=1", "1.1", Headers(headers.items()))
    event = alb.encode_event(group, request, body.encode(), multi_value=False)
    return _document(event or b"{}")


def function_url_request(
    path: str = "/orders",
    method: str = "POST",
    body: str = '{"item": "book"}',
    region: str = REGION,
) -> Document:
    """A request to a function URL (payload version 2.0)."""
    url_id = "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6"
    headers = _headers(f"{url_id}.lambda-url.{region}.on.aws") | {"Cookie": "session=17"}
    viewer = Viewer(_ADDRESS, 46532, "https")
    request = Request(method, path, "page=1", "1.1", Headers(headers.items()), viewer=viewer)
    context = function_url.UrlContext(url_id, _REQUEST_ID, _TRACE, SECONDS)
    return _document(function_url.encode_event(context, request, body.encode()))


def appsync_resolver(
    field: str = "getOrder", parent: str = "Query", arguments: Json = '{"id": "17"}'
) -> Document:
    """A field of a GraphQL API that a function resolves."""
    return {
        "arguments": orjson.loads(arguments),
        "identity": None,
        "source": None,
        "request": {"headers": _lower(_headers("graphql.example.com")), "domainName": None},
        "prev": None,
        "info": {
            "selectionSetList": ["id", "state"],
            "selectionSetGraphQL": "{\n  id\n  state\n}",
            "parentTypeName": parent,
            "fieldName": field,
            "variables": {},
        },
        "stash": {},
    }


def _headers(host: str) -> dict[str, str]:
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Host": host,
        "User-Agent": _AGENT,
        "X-Amzn-Trace-Id": _TRACE,
        "X-Forwarded-For": _ADDRESS,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _document(event: bytes) -> Document:
    document: Document = orjson.loads(event)
    return document


def _rest_context(path: str, method: str, stage: str, region: str, account: str) -> Document:
    unknown = (
        *("accessKey", "accountId", "apiKey", "apiKeyId", "caller", "clientCert"),
        "cognitoAuthenticationProvider",
        *("cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId"),
        *("principalOrgId", "user", "userArn"),
    )
    identity: dict[str, Any] = dict.fromkeys(unknown)
    return {
        "accountId": account,
        "apiId": _API,
        "domainName": f"{_API}.execute-api.{region}.amazonaws.com",
        "domainPrefix": _API,
        "extendedRequestId": "U2FtcGxlSWQ=",
        "httpMethod": method,
        "identity": identity | {"sourceIp": _ADDRESS, "userAgent": _AGENT},
        "path": f"/{stage}{path}",
        "protocol": "HTTP/1.1",
        "requestId": _REQUEST_ID,
        "requestTime": _TIME,
        "requestTimeEpoch": MILLISECONDS,
        "resourceId": "a1b2c3",
        "resourcePath": "/{proxy+}",
        "stage": stage,
    }


def _http_context(path: str, method: str, region: str, account: str) -> Document:
    return {
        "accountId": account,
        "apiId": _API,
        "domainName": f"{_API}.execute-api.{region}.amazonaws.com",
        "domainPrefix": _API,
        "http": {
            "method": method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": _ADDRESS,
            "userAgent": _AGENT,
        },
        "requestId": "U2FtcGxlSWQ=",
        "routeKey": "$default",
        "stage": "$default",
        "time": _TIME,
        "timeEpoch": MILLISECONDS,
    }


def _websocket_context(route: str, kind: str, stage: str, host: str) -> Document:
    context: Document = {
        "routeKey": route,
        "eventType": kind,
        "extendedRequestId": "U2FtcGxlSWQ=",
        "requestTime": _TIME,
        "messageDirection": "IN",
        "stage": stage,
        "connectedAt": MILLISECONDS - 1000,
        "requestTimeEpoch": MILLISECONDS,
        "identity": {"sourceIp": _ADDRESS},
        "requestId": "U2FtcGxlSWQ=",
        "domainName": host,
        "connectionId": "UHz_BcU8oAMCJkw=",
        "apiId": _API,
    }
    return context
