"""Ask for a user name and a password.

Event: viewer-request, so that the check comes before the cache. Lambda@Edge functions have no
environment variables of their own; in earnest, read the secret from a store at start instead.
"""

import base64
import binascii
import hmac

USER, PASSWORD = "demo", "demo"


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    given = request["headers"].get("authorization", [{"value": ""}])[0]["value"]
    if is_allowed(given):
        return request
    return {
        "status": "401",
        "statusDescription": "Unauthorized",
        "headers": {
            "www-authenticate": [{"key": "WWW-Authenticate", "value": 'Basic realm="preview"'}],
            "content-type": [{"key": "Content-Type", "value": "text/plain"}],
        },
        "body": "Please sign in.",
    }


def is_allowed(authorization):
    scheme, _, token = authorization.partition(" ")
    try:
        given = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return False
    expected = f"{USER}:{PASSWORD}".encode()
    return scheme.lower() == "basic" and hmac.compare_digest(given, expected)
