"""Calls of the control listener's API, as its page makes them."""

import json
from collections.abc import Mapping
from typing import Any

from edgeproxy.testing import Site

__all__ = ["call"]


def call(site: Site, method: str, path: str, document: object = None) -> tuple[int, Any]:
    """Status and JSON of a call."""
    body = b"" if document is None else json.dumps(document).encode()
    lines: Mapping[str, str] = {"Content-Type": "application/json"} if body else {}
    response = site.request(method, path, headers=lines, body=body, url=site.endpoints["control"])
    return response.status, response.json()
