"""Modules that a zygote has imported, and that its workers take when they import them.

Until then they are hidden. To a worker all is as if it imported them itself: each is looked up as
ever, so that a function's own module of the same name comes first, and brings with it what it
imports in turn. Only its body has been run before. ``logging`` is not among them: it notes when it
was imported.
"""

from __future__ import annotations

import builtins
import importlib
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

__all__ = ["be_another_process", "keep"]

USUAL = (
    "base64",
    "dataclasses",
    "datetime",
    "hashlib",
    "json",
    "re",
    "string",
    "threading",
    "traceback",
    "urllib.parse",
)
"""What functions import most, and what ``logging`` does."""


class Kept:
    """A finder that answers for modules that are kept; each is taken once."""

    modules: dict[str, ModuleType] = {}  # noqa: RUF012
    imports: dict[str, list[str]] = {}  # noqa: RUF012
    """What each module imports, in its order."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        module = Kept.modules.get(name)
        if module is None or Kept not in sys.meta_path:  # where the function has wrapped it
            return None
        for finder in sys.meta_path[sys.meta_path.index(Kept) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        kept_spec = module.__spec__
        if kept_spec is not None and spec.origin == kept_spec.origin:
            taken: Any = Taken(spec, module)
            spec.loader = taken
        return spec


class Taken:
    """The loader of a kept module. All but an import it leaves to the usual loader."""

    def __init__(self, spec: ModuleSpec, module: ModuleType) -> None:
        self.loader: Any = spec.loader
        self.module = module
        self.spec: ModuleSpec | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module = Kept.modules.pop(spec.name, None)
        if module is None:  # One more of what has been taken.
            module = self.loader.create_module(spec)
        else:
            self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        as_kept = self.spec is not None and module is self.module
        if as_kept:
            module.__spec__ = self.spec
            self.spec = None  # The next time it is reloaded.
        for name in Kept.imports.get(module.__name__, ()):
            importlib.import_module(name)
            # One that is still kept has been replaced by the function.
            as_kept = as_kept and name not in Kept.modules
        if not as_kept:
            self.loader.exec_module(module)


def keep() -> None:
    """Import the usual modules and hide them."""
    before = dict(sys.modules)
    ordinary = builtins.__import__

    def noted(
        name: str,
        globals: Any = None,  # noqa: A002
        locals: Any = None,  # noqa: A002
        fromlist: Any = (),
        level: int = 0,
    ) -> ModuleType:
        found = ordinary(name, globals, locals, fromlist, level)
        space = globals or {}
        if level:
            package = space["__package__"].split(".")
            name = ".".join(filter(None, [*package[: len(package) + 1 - level], name]))
        imported = [name, *(f"{name}.{each}" for each in fromlist or ())]
        known = Kept.imports.setdefault(space.get("__name__", ""), [])
        known.extend(each for each in imported if each in sys.modules)
        return found

    every: Any = builtins
    every.__import__ = noted
    try:
        for name in USUAL:
            importlib.import_module(name)
    finally:
        every.__import__ = ordinary
    for name in sys.modules.keys() - before.keys():
        Kept.modules[name] = sys.modules.pop(name)
    sys.meta_path.insert(0, Kept)


def be_another_process() -> None:
    """Have kept modules forget the process that imported them."""
    main: Any = Kept.modules["threading"].main_thread()
    main._set_native_id()
