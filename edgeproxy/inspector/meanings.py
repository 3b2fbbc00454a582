"""What the rules mean that functions can break: a sentence a rule, from ``meanings.toml``."""

import functools
import tomllib

__all__ = ["meaning_of"]


def meaning_of(rule: str) -> str | None:
    """What a rule that a function can break says, None for any other rule."""
    return _meanings().get(rule)


@functools.cache
def _meanings() -> dict[str, str]:
    from importlib import resources  # Needed by who looks at a broken rule, not by the start.

    file = resources.files("edgeproxy.inspector") / "meanings.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
