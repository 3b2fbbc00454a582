"""Send variant b of an A/B test to another origin.

Event: origin-request. Attach together with ab_assign (viewer-request). The cookie "ab" must be in
the cache policy: the origin is no part of the cache key, the cookie is.

The function sees only what the behavior forwards, so a cache policy or origin request policy has to
include the cookie.
"""

ORIGIN_B = "variant-b.example.com"


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    cookies = [
        cookie.strip()
        for line in request["headers"].get("cookie", [])
        for cookie in line["value"].split(";")
    ]
    if "ab=b" in cookies:
        request["origin"]["custom"]["domainName"] = ORIGIN_B
        # The Host header does not follow the origin by itself.
        request["headers"]["host"] = [{"key": "Host", "value": ORIGIN_B}]
    return request
