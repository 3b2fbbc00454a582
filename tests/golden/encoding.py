"""A loaded project as plain data: only what differs from the defaults, paths made portable."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from edgeproxy.distribution.model import CachePolicy, CustomOrigin, LegacyCacheSettings, S3Origin
from edgeproxy.http.headers import Headers
from edgeproxy.loadbalancing.model import AlbFixedResponse, AlbForward, AlbRedirect
from edgeproxy.project.loaders import Loaded
from edgeproxy.project.model import Treatment
from edgeproxy.project.report import CheckFinding

__all__ = ["encode"]


_ONE_OF = (
    CustomOrigin,
    S3Origin,
    CachePolicy,
    LegacyCacheSettings,
    AlbForward,
    AlbFixedResponse,
    AlbRedirect,
)
"""Types that stand in one field with others; their name is written down."""


def encode(loaded: Loaded, folders: Mapping[str, Path]) -> dict[str, Any]:
    """``folders`` are the words that stand for the beginnings of paths."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path | str):
            return shortened(str(value))
        if isinstance(value, Headers):
            return [list(line) for line in value.lines()]
        if is_dataclass(value) and not isinstance(value, type):
            members = {
                each.name: plain(getattr(value, each.name))
                for each in fields(value)
                if each.name != "place" and not is_default(value, each)
            }
            return {"": type(value).__name__, **members} if type(value) in _ONE_OF else members
        if isinstance(value, Mapping):
            return {shortened(str(key)): plain(each) for key, each in value.items()}
        if isinstance(value, frozenset):
            return sorted(map(plain, value))
        if isinstance(value, tuple | list):
            return list(map(plain, value))
        return value

    def is_default(value: Any, each: Any) -> bool:
        if each.default_factory is not MISSING:
            return bool(getattr(value, each.name) == each.default_factory())
        return each.default is not MISSING and bool(getattr(value, each.name) == each.default)

    def shortened(text: str) -> str:
        for word, folder in folders.items():
            text = text.replace(str(folder), word)
        return text

    def finding(each: CheckFinding) -> str:
        return shortened(f"{each.severity} {each.rule} {each.place}")

    project = loaded.project
    encoded: dict[str, Any] = {
        name: plain(getattr(project, name))
        for name in (
            "distributions",
            "functions",
            "cloudfront_functions",
            "key_value_stores",
            "function_urls",
            "load_balancers",
            "sources",
        )
    }
    encoded["origins"] = plain(loaded.origins)
    encoded["stand_ins"] = plain(loaded.stand_ins)
    encoded["findings"] = list(map(finding, loaded.findings))
    encoded["honoured"] = [
        shortened(str(line.place))
        for line in project.report.lines
        if line.treatment is Treatment.HONOURED
    ]
    encoded["approximated or ignored"] = [
        shortened(f"{line.place}: {line.treatment}: {line.why}")
        for line in project.report.lines
        if line.treatment is not Treatment.HONOURED
    ]
    return encoded
