"""Hand the cookie of an A/B test to new visitors.

Event: viewer-response. Attach together with ab_assign (viewer-request), which marks the requests of
new visitors. What this function adds is not cached.
"""

LIFETIME_S = 30 * 24 * 3600


def handler(event, context):
    cf = event["Records"][0]["cf"]
    response = cf["response"]
    if new := cf["request"]["headers"].get("x-ab-new"):
        cookie = f"ab={new[0]['value']}; Path=/; Max-Age={LIFETIME_S}; SameSite=Lax"
        response["headers"].setdefault("set-cookie", []).append(
            {"key": "Set-Cookie", "value": cookie}
        )
    return response
