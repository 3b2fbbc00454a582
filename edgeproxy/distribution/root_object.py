"""What a default root object may be called (CDN-ROOT-05).

A definition with another name is faulty; what serves it anyway answers for ``/`` as AWS does.
"""

import re
from typing import Final

from edgeproxy.distribution.quotas import MAX_DEFAULT_ROOT_OBJECT_CHARACTERS

__all__ = ["fault_in_root_object"]

_FOREIGN: Final = re.compile(r"""[^A-Za-z0-9_\-.*$/~"'&]""")


def fault_in_root_object(name: str) -> str:
    """What is wrong with ``name``, as a sentence; empty if nothing is."""
    if len(name) > MAX_DEFAULT_ROOT_OBJECT_CHARACTERS:
        return f"more than {MAX_DEFAULT_ROOT_OBJECT_CHARACTERS} characters."
    foreign = _FOREIGN.search(name)
    return f"{foreign[0]!r} cannot be part of it." if foreign else ""
