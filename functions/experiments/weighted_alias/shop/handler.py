"""Says which version of it answers."""


def handler(event, context):
    return {"statusCode": 200, "body": f"version {context.function_version}"}
