"""Sends side b to another origin. Event: origin-request."""


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    cookies = request["headers"].get("cookie", [])
    if any("ab=b" in line["value"] for line in cookies):
        request["origin"]["custom"]["domainName"] = "webb.example.com"
        request["headers"]["host"] = [{"key": "Host", "value": "webb.example.com"}]
    return request
