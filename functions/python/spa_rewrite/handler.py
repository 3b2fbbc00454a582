"""Serve index.html for the routes of a single-page application.

Event: viewer-request. Paths whose last part has no dot are routes of the application; they all
share one cached object, since the cache key is computed after this function.
"""


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    if "." not in request["uri"].rpartition("/")[2]:
        request["uri"] = "/index.html"
    return request
