"""The document that names every URL: the endpoints file and ``GET /api/endpoints``."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import orjson

from edgeproxy.errors import Place, UsageError
from edgeproxy.project.model import Project

__all__ = ["EndpointsFile", "endpoints_document"]


class EndpointsFile:
    """The file that tells scripts where the listeners are; there while they accept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, document: dict[str, object]) -> None:
        """Put the document there in one step, so that a reader sees all of it or nothing."""
        try:
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
                Path(name).replace(self._path)
            except OSError:
                Path(name).unlink()
                raise
        except OSError as error:
            raise UsageError(
                f"the endpoints file cannot be written: {error.strerror}",
                place=Place(self._path),
                remedy="give --endpoints-file a path in a folder that exists",
            ) from error

    def remove(self) -> None:
        """Take it away; nothing to do when somebody already did."""
        with suppress(FileNotFoundError):
            self._path.unlink()


def endpoints_document(
    project: Project, urls: Mapping[str, str], control: str
) -> dict[str, object]:
    """Every URL; ``urls`` are those of the doors by their keys, ``control`` the listener's own."""
    return {
        "control": control,
        "viewer": urls.get("viewer"),
        "https_viewer": urls.get("https viewer"),
        "lambda_api": control,
        "cloudfront_api": control,
        "distributions": {
            logical_id: {
                "id": distribution.id,
                "domain_name": distribution.domain_name,
                # A staging distribution has no door of its own (CDN-CD-01).
                "url": urls.get(f"distribution {logical_id}"),
                "https_url": urls.get(f"https distribution {logical_id}"),
            }
            for logical_id, distribution in project.distributions.items()
        },
        "function_urls": {
            logical_id: {
                "function": function_url.function,
                "url": urls[f"function-url {logical_id}"] + "/",
                "https_url": _with_slash(urls.get(f"https function-url {logical_id}")),
            }
            for logical_id, function_url in project.function_urls.items()
        },
        "load_balancers": {
            logical_id: {
                "listeners": [
                    {
                        "port": listener.port,
                        "url": urls[f"load-balancer {logical_id} {index}"],
                    }
                    for index, listener in enumerate(balancer.listeners)
                ]
            }
            for logical_id, balancer in project.load_balancers.items()
        },
    }


def _with_slash(url: str | None) -> str | None:
    return None if url is None else f"{url}/"
