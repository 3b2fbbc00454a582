"""Assigns visitors too late: at origin-request, when the cache has been asked already."""

import random


def handler(event, context):
    cf = event["Records"][0]["cf"]
    request = cf["request"]
    cookie = request["headers"].get("cookie", [{"value": ""}])[0]["value"]
    if cf["config"]["eventType"] == "origin-request":
        if "ab=" not in cookie:
            side = random.choice("ab")
            request["headers"]["cookie"] = [{"key": "Cookie", "value": f"ab={side}"}]
        return request
    response = cf["response"]
    side = cookie.partition("ab=")[2][:1]
    # This is stored with the page, and handed to everybody who gets it.
    response["headers"]["set-cookie"] = [{"key": "Set-Cookie", "value": f"ab={side}; Path=/"}]
    return response
