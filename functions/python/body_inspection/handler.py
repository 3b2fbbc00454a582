"""Turn away forms that a robot filled in: people leave the hidden field "website" empty.

Event: viewer-request with IncludeBody. The function sees at most 40 KB of a body; the origin gets
all of it, since the body is only read.
"""

import base64
from urllib.parse import parse_qs

TRAP = "website"


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    if request["method"] != "POST":
        return request
    form = parse_qs(base64.b64decode(request["body"]["data"]).decode("utf-8", "replace"))
    if TRAP not in form:
        return request
    return {
        "status": "403",
        "statusDescription": "Forbidden",
        "headers": {"content-type": [{"key": "Content-Type", "value": "text/plain"}]},
        "body": "This form was not filled in by hand.",
    }
