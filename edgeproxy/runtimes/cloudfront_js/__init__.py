"""The CloudFront Functions runtimes ``cloudfront-js-1.0`` and ``cloudfront-js-2.0``.

:class:`CloudFrontJs` runs one function; what it returns is judged by
:mod:`edgeproxy.events.cloudfront_function`. The engine is imported when a name of this package is
asked for: most programs have functions of one kind only.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from edgeproxy.runtimes.cloudfront_js.engine import (
        CloudFrontJs,
        EdgeLocation,
        RunContext,
        Tenant,
    )
    from edgeproxy.runtimes.cloudfront_js.kvs import KeyValues, load_import_file
    from edgeproxy.runtimes.cloudfront_js.origin import (
        AccessControl,
        CustomOriginChange,
        OriginChange,
        OriginGroupChange,
        SelectOrigin,
        UpdateOrigin,
    )
    from edgeproxy.runtimes.cloudfront_js.outcome import (
        Completed,
        Failed,
        FailureKind,
        Location,
        Notice,
        Outcome,
        format_log,
        told_utilisation,
    )
    from edgeproxy.runtimes.cloudfront_js.syntax import SyntaxFinding

__all__ = [
    "AccessControl",
    "CloudFrontJs",
    "Completed",
    "CustomOriginChange",
    "EdgeLocation",
    "Failed",
    "FailureKind",
    "KeyValues",
    "Location",
    "Notice",
    "OriginChange",
    "OriginGroupChange",
    "Outcome",
    "RunContext",
    "SelectOrigin",
    "SyntaxFinding",
    "Tenant",
    "UpdateOrigin",
    "format_log",
    "load_import_file",
    "told_utilisation",
]

_MODULES: Final = ("engine", "kvs", "origin", "outcome", "syntax")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in map(importlib.import_module, (f"{__name__}.{each}" for each in _MODULES)):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
