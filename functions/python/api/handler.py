"""A small JSON API behind a function URL (payload format 2.0).

GET /hello?name=…   greets
POST /echo          sends the JSON body back
"""

import base64
import json


def handler(event, context):
    method = event["requestContext"]["http"]["method"]
    match (method, event["rawPath"]):
        case ("GET", "/hello"):
            name = event.get("queryStringParameters", {}).get("name", "world")
            return answer(200, {"message": f"Hello, {name}!"})
        case ("POST", "/echo"):
            try:
                return answer(200, {"received": json.loads(body_of(event))})
            except ValueError:
                return answer(400, {"error": "the body is not JSON"})
        case _:
            return answer(404, {"error": f"there is no {method} {event['rawPath']}"})


def body_of(event):
    body = event.get("body", "")
    return base64.b64decode(body) if event["isBase64Encoded"] else body


def answer(status, document):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(document),
    }
