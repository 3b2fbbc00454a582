import json


def handler(event, context):
    http = event["requestContext"]["http"]
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"method": http["method"], "path": event["rawPath"]}),
    }
