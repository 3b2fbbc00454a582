"""The options of ``dev`` on the command line and in ``edgeproxy.toml``, made into settings."""

import argparse
from collections.abc import Container
from pathlib import Path
from typing import Any

from edgeproxy.option import Kind
from edgeproxy.options import OPTIONS
from edgeproxy.settings import Settings, read_settings_file, settings_from

__all__ = ["add_settings", "settings_of"]


def add_settings(parser: argparse.ArgumentParser, only: Container[str] | None = None) -> None:
    """Every option of the table, in its groups; with ``only``, those of these names."""
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        if only is not None and option.name not in only:
            continue
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        keywords: dict[str, Any] = {"dest": option.key, "help": option.help, "default": None}
        match option.kind:
            case Kind.FLAG:
                keywords |= {"action": "store_true"}
            case Kind.INTEGER:
                keywords |= {"type": int, "metavar": option.metavar}
            case Kind.PATH:
                keywords |= {"type": Path, "metavar": option.metavar}
            case Kind.LIST:
                keywords |= {"action": "append", "metavar": option.metavar}
            case Kind.TEXT:
                keywords |= {"metavar": option.metavar}
                if option.choices:
                    keywords |= {"choices": option.choices}
        groups[option.group].add_argument(f"--{option.name}", **keywords)


def settings_of(options: argparse.Namespace, target: str | None) -> Settings:
    """The settings of a command line: over ``edgeproxy.toml`` beside the definition, if any."""
    given = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in vars(options).items()
        if value is not None
    }
    folder = _folder_of(target)
    file = folder / "edgeproxy.toml"
    from_file = read_settings_file(file) if file.is_file() else {}
    return settings_from(from_file, given)


def _folder_of(target: str | None) -> Path:
    if target is None or "://" in target:
        return Path.cwd()
    path = Path(target)
    # A directory TARGET is content to serve; its settings lie where the command is given.
    return path.parent if path.is_file() else Path.cwd()
