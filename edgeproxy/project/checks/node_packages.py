"""Where Node.js finds what a function requires or imports on AWS: in the code's folder only."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Missing", "find_package", "is_provided", "package_json", "resolve"]

_BUILT_IN: Final = frozenset(
    {
        *("assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants"),
        *("crypto", "dgram", "diagnostics_channel", "dns", "domain", "events", "fs", "http"),
        *("http2", "https", "inspector", "module", "net", "os", "path", "perf_hooks", "process"),
        *("punycode", "querystring", "readline", "repl", "stream", "string_decoder", "sys"),
        *("timers", "tls", "trace_events", "tty", "url", "util", "v8", "vm", "wasi"),
        *("worker_threads", "zlib"),
    }
)
_LAMBDA_PACKAGES: Final = ("@aws-sdk", "@smithy", "@aws-crypto", "@aws", "tslib")
"""Scopes and packages of the AWS SDK v3, which Lambda's runtimes from Node.js 18 on have."""
_SDK_3: Final = 18
_ENDINGS: Final = ("", ".js", ".json", ".node", ".cjs", ".mjs", "/index.js", "/index.json")


@dataclass(frozen=True, slots=True)
class Missing:
    """A package or file that is not there; ``is_listed`` when a package.json asks for it."""

    remedy: str
    is_listed: bool = False


def is_provided(name: str, version: int) -> bool:
    """Whether Node.js or Lambda's runtime ``nodejs<version>.x`` has the package itself."""
    if name.startswith(("node:", "data:", "file:")):
        return True
    package = name.partition("/")[0]
    if package == "aws-sdk":
        return version < _SDK_3
    return package in _BUILT_IN or (package in _LAMBDA_PACKAGES and version >= _SDK_3)


def find_package(
    root: Path, file: Path, name: str, version: int, *, is_module: bool
) -> Missing | None:
    """Why ``name``, wanted in ``file``, is not found on AWS; None when it is, or may be."""
    if name.startswith(("/", "#")) or is_provided(name, version):
        return None
    if name.startswith("."):
        if resolve(file, name, is_module=is_module) is not None:
            return None
        remedy = "ES modules name files with their ending" if is_module else "mend the path"
        return Missing(remedy)
    parts = name.split("/")
    package = "/".join(parts[: 2 if name.startswith("@") else 1])
    folders = [folder for folder in file.parents if folder.is_relative_to(root)]
    if any((folder / "node_modules" / package).exists() for folder in folders):
        return None
    if package == "aws-sdk":
        return Missing("runtimes from nodejs18.x on have the SDK v3: use @aws-sdk/client-…")
    if any(package in _dependencies(folder / "package.json") for folder in file.parents):
        return Missing(
            "package.json lists it: install or bundle it into the folder before you deploy",
            is_listed=True,
        )
    return Missing(f"npm install {package} in {root.name}, or bundle it")


def resolve(file: Path, name: str, *, is_module: bool) -> Path | None:
    """The file that a relative ``name`` in ``file`` means."""
    if not name.startswith("."):
        return None
    path = (file.parent / name).resolve()
    for ending in ("",) if is_module else _ENDINGS:
        found = Path(f"{path}{ending}")
        if found.is_file():
            return found
    if not is_module and (path / "package.json").is_file():
        return path / "package.json"
    return None


def package_json(file: Path) -> Mapping[str, object]:
    """What a package.json says: nothing when there is none, or none that can be read."""
    try:
        document = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _dependencies(package: Path) -> Iterator[str]:
    document = package_json(package)
    for kind in ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies"):
        listed = document.get(kind)
        yield from listed if isinstance(listed, dict) else ()
