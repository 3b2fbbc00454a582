"""Packs orders that come as events. One without items fails, and is tried again."""


def handler(event, context):
    if not event["items"]:
        raise ValueError("there is nothing to pack")
    return {"order": event["order"], "parcels": 1 + len(event["items"]) // 10}
