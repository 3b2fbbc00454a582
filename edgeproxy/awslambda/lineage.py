"""How often a chain of events has come through a function (LI-230 to LI-233).

The count travels in the ``Lineage`` field of the trace header, which functions pass on with what
they send: ``<depth>:<hash>:<count>``, the hash that of a function, several of them with ``|``
between. AWS does not document the format; this one reads what has AWS's form.
"""

import re
from hashlib import blake2b
from typing import Final

__all__ = ["MOST_PASSES", "passed"]

MOST_PASSES: Final = 16
"""How often one chain may come through a function."""
_FIELD: Final = re.compile(r"(?:^|;)\s*Lineage=(?P<steps>[^;]*)")
_STEP: Final = re.compile(r"(?P<depth>\d{1,9}):(?P<function>[0-9a-f]{8}):(?P<count>\d{1,9})")


def passed(trace_id: str, function_arn: str) -> tuple[str, int]:
    """The trace header with one more pass through a function, and how many that makes.

    A count in the header is that of the passes before.
    """
    field = _FIELD.search(trace_id)
    texts = field["steps"].split("|") if field is not None else []
    steps = [step for text in texts if (step := _STEP.fullmatch(text)) is not None]
    own = blake2b(function_arn.encode(), digest_size=4).hexdigest()
    counts = {step["function"]: int(step["count"]) for step in steps}
    counts[own] = counts.get(own, -1) + 1
    depth = max((int(step["depth"]) for step in steps), default=0) + 1
    lineage = "Lineage=" + "|".join(f"{depth}:{name}:{count}" for name, count in counts.items())
    others = _FIELD.sub("", trace_id).strip(";")
    return (f"{others};{lineage}" if others else lineage), counts[own] + 1
