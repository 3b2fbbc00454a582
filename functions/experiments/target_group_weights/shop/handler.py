"""Two sides of a shop, as targets of a load balancer."""


def old(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": "the old shop"}


def new(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": "the new shop"}
