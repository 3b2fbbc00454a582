"""Answers behind a function URL and behind a load balancer, and says which version it is."""

import json


def handler(event, context):
    path = event["rawPath"] if "rawPath" in event else event["path"]
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"path": path, "version": context.function_version}),
    }
