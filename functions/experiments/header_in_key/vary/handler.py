"""Relies on Vary, which CloudFront does not look at. Event: origin-response."""


def handler(event, context):
    response = event["Records"][0]["cf"]["response"]
    response["headers"]["vary"] = [{"key": "Vary", "value": "X-Variant"}]
    return response
