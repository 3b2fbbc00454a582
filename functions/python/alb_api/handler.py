"""A function behind an Application Load Balancer, for either setting of multi-value headers.

Answers with what it was asked and counts visits in a cookie. The target group's setting decides
which of the two forms an event has, and the answer has to have the same.
"""

import json


def handler(event, context):
    several = "multiValueHeaders" in event
    if several:
        cookies = event["multiValueHeaders"].get("cookie", [])
        query = event["multiValueQueryStringParameters"]
    else:
        cookies = [event["headers"].get("cookie", "")]
        query = event["queryStringParameters"]
    visits = 1 + visits_in("; ".join(cookies))
    headers = {"Content-Type": "application/json", "Set-Cookie": f"visits={visits}; Path=/"}
    response = {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "body": json.dumps({"path": event["path"], "query": query, "visits": visits}),
        "isBase64Encoded": False,
    }
    if several:
        return response | {"multiValueHeaders": {name: [text] for name, text in headers.items()}}
    return response | {"headers": headers}


def visits_in(cookies):
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == "visits" and value.isdigit():
            return int(value)
    return 0
