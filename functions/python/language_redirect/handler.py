"""Send visitors of the start page to the page in their language.

Event: viewer-request. Attach to a behavior for "/" or to the default one; other paths pass.
"""

LANGUAGES = ("en", "de", "fr")


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    if request["uri"] != "/":
        return request
    lines = request["headers"].get("accept-language", [])
    language = best_language(",".join(line["value"] for line in lines))
    return {
        "status": "302",
        "statusDescription": "Found",
        "headers": {
            "location": [{"key": "Location", "value": f"/{language}/"}],
            "vary": [{"key": "Vary", "value": "Accept-Language"}],
        },
    }


def best_language(accepted):
    """The offered language that the visitor likes best, the first one when there is none."""
    best, best_quality = LANGUAGES[0], 0.0
    for item in accepted.split(","):
        tag, _, parameter = item.strip().partition(";")
        language = tag.split("-")[0].lower()
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            quality = 0.0
        if language in LANGUAGES and quality > best_quality:
            best, best_quality = language, quality
    return best
