"""Assign each visitor to variant a or b of an A/B test.

Event: viewer-request. Attach together with ab_cookie (viewer-response) and, where the variants are
served by different origins, ab_route (origin-request). The cookie "ab" must be in the behavior's
cache policy, so that each variant is cached on its own.

The variant goes into the request's own cookie, where cache key and origin see it. A visitor who has
it already keeps it; a new one is marked, so that ab_cookie can hand out the cookie.
"""

import random

VARIANTS = {"a": 50, "b": 50}
"""Variants and their weights."""


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    headers = request["headers"]
    headers.pop("x-ab-new", None)  # Only this function sets the mark.
    cookies = [
        cookie.strip() for line in headers.get("cookie", []) for cookie in line["value"].split(";")
    ]
    if not any(cookie in {f"ab={variant}" for variant in VARIANTS} for cookie in cookies):
        variant = random.choices(list(VARIANTS), list(VARIANTS.values()))[0]
        kept = [cookie for cookie in cookies if cookie and not cookie.startswith("ab=")]
        headers["cookie"] = [{"key": "Cookie", "value": "; ".join([*kept, f"ab={variant}"])}]
        headers["x-ab-new"] = [{"key": "X-AB-New", "value": variant}]
    return request
