"""Rewrites the path of side b. Event: origin-request."""


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    cookies = request["headers"].get("cookie", [])
    side = "b" if any("ab=b" in line["value"] for line in cookies) else "a"
    request["uri"] = f"/{side}{request['uri']}"
    return request
