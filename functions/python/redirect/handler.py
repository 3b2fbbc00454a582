"""Redirect old addresses to new ones.

Event: viewer-request. A redirect made here is sent at once, for every viewer, and is not cached at
the edge; made in an origin-request function, it would be.
"""

MOVED = {
    "/old": "/new",
    "/blog": "https://blog.example.com/",
}


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    target = MOVED.get(request["uri"].rstrip("/") or "/")
    if target is None:
        return request
    if request["querystring"]:
        target += f"?{request['querystring']}"
    return {
        "status": "301",
        "statusDescription": "Moved Permanently",
        "headers": {
            "location": [{"key": "Location", "value": target}],
            "cache-control": [{"key": "Cache-Control", "value": "max-age=3600"}],
        },
    }
