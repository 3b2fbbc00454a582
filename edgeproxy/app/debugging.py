"""``--debug-function``: which functions wait for an editor, on which ports, and how to attach."""

import json
import socket
from collections.abc import Iterable
from dataclasses import replace

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.errors import PortInUse, UsageError
from edgeproxy.project.model import Project
from edgeproxy.runtimes.debugging import DEBUG_HOST, find_debugpy
from edgeproxy.settings import Settings

__all__ = ["Debugging", "how_to_attach"]


class Debugging:
    """The ports of the functions that are debugged; they stay the same over reloads.

    Raises ``UsageError`` for an option that cannot be used, ``PortInUse`` for a port that is taken.
    """

    def __init__(self, settings: Settings) -> None:
        self._ports: dict[str, int] = {}
        taken = {settings.port, settings.control_port}
        for option in settings.debug_function:
            name, equals, text = option.partition("=")
            port = _port(option, text) if equals else _free_port()
            if name in self._ports:
                raise UsageError(f"--debug-function names {name!r} twice")
            if port in taken:
                raise PortInUse(
                    f"--debug-function {option}: another listener has that port",
                    remedy="give another port, or none to take a free one",
                )
            taken.add(port)
            _check(option, port)
            self._ports[name] = port

    def applied_to(self, project: Project) -> Project:
        """``project`` with a debugger for each function named. Raises ``UsageError``."""
        if not self._ports:
            return project
        functions = dict(project.functions)
        for name, port in self._ports.items():
            definition = _find(project, name)
            if definition.spec.runtime.startswith("python"):
                find_debugpy()
            spec = replace(definition.spec, debug_port=port)
            # Requests wait for each other; a reserved concurrency would refuse them.
            functions[definition.name] = replace(definition, spec=spec, reserved_concurrency=None)
        return replace(project, functions=functions)


def _port(option: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 65535):
        raise UsageError(
            f"--debug-function {option!r} is not of the form NAME[=PORT]", remedy="such as api=5678"
        )
    return int(text)


def _free_port() -> int:
    with socket.create_server((DEBUG_HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _check(option: str, port: int) -> None:
    try:
        socket.create_server((DEBUG_HOST, port)).close()
    except OSError as error:
        raise PortInUse(
            f"--debug-function {option}: {DEBUG_HOST}:{port} cannot be had: {error.strerror}",
            remedy="give another port, or none to take a free one",
        ) from error


def _find(project: Project, name: str) -> FunctionDefinition:
    for definition in project.functions.values():
        if name in (definition.name, definition.logical_id):
            return definition
    for function in project.cloudfront_functions.values():
        if name in (function.name, function.logical_id):
            raise UsageError(
                f"--debug-function {name}: a CloudFront Function runs in an engine inside "
                "edgeproxy, which has no debugger",
                remedy=f"run it alone with `edgeproxy invoke {name} --event FILE`, and look "
                "with console.log",
            )
    there = ", ".join(sorted(project.functions)) or "none"
    raise UsageError(
        f"--debug-function {name}: no Lambda function is called that", remedy=f"there is {there}"
    )


def how_to_attach(functions: Iterable[FunctionDefinition]) -> list[str]:
    """For each function that is debugged, what an editor needs to know."""
    lines: list[str] = []
    configurations = []
    for definition in functions:
        port = definition.spec.debug_port
        if port is None:
            continue
        is_node = definition.spec.runtime.startswith("nodejs")
        tool = "Node.js inspector, also chrome://inspect" if is_node else "debugpy"
        lines.append(f"{definition.name} waits for a debugger on {DEBUG_HOST}:{port} ({tool})")
        configurations.append(_configuration(definition.name, port, is_node=is_node))
    if configurations:
        launch = {"version": "0.2.0", "configurations": configurations}
        lines.append("VS Code attaches with this as .vscode/launch.json:")
        lines += json.dumps(launch, indent=2).splitlines()
    return lines


def _configuration(name: str, port: int, *, is_node: bool) -> dict[str, object]:
    configuration: dict[str, object] = {"name": f"Attach to {name}", "request": "attach"}
    if is_node:
        return configuration | {
            "type": "node",
            "address": DEBUG_HOST,
            "port": port,
            "restart": True,
            "skipFiles": ["<node_internals>/**"],
        }
    return configuration | {"type": "debugpy", "connect": {"host": DEBUG_HOST, "port": port}}
