"""Asks for a token signed with a shared secret, and tells the origin whose it is."""

import json

import idna
import jwt

SECRET = "a secret of at least thirty-two bytes"


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    scheme, _, token = _header(request, "authorization").partition(" ")
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"]) if scheme == "Bearer" else None
    except jwt.ExpiredSignatureError:
        return _refused("the token has expired")
    except jwt.InvalidTokenError:
        return _refused("this is no token of ours")
    if claims is None:
        return _refused("a token is needed")
    if request["uri"] == "/versions":
        return {
            "status": 200,
            "body": json.dumps(
                {
                    "jwt": jwt.__version__,
                    "idna": idna.__version__,
                    "at": [jwt.__file__, idna.__file__],
                }
            ),
        }
    request["headers"]["x-user"] = [{"value": claims["sub"]}]
    return request


def _header(request, name):
    lines = request["headers"].get(name, [])
    return lines[0]["value"] if lines else ""


def _refused(why):
    return {
        "status": 401,
        "headers": {"www-authenticate": [{"value": "Bearer"}]},
        "body": why,
    }
