"""What the command line adds to a definition, and what a loader hands back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeproxy.distribution.model import EventType
from edgeproxy.errors import UsageError
from edgeproxy.project.identifiers import Identity
from edgeproxy.project.model import Project
from edgeproxy.project.report import CheckFinding

__all__ = ["FunctionFile", "LoadOptions", "Loaded", "parse_function_file"]

_HANDLER = re.compile(r"[A-Za-z_$][\w$]*\Z")


@dataclass(frozen=True, slots=True)
class FunctionFile:
    """A function that an option names. An empty ``handler`` is decided by reading the file."""

    file: Path
    handler: str = ""


def parse_function_file(text: str) -> FunctionFile:
    """``FILE`` or ``FILE:HANDLER``. Raises :class:`UsageError` when HANDLER is no export's name."""
    head, colon, tail = text.rpartition(":")
    if not colon or "/" in tail or "\\" in tail:
        return FunctionFile(Path(text))
    if not head or not _HANDLER.match(tail):
        raise UsageError(
            f"{text!r} is not FILE or FILE:HANDLER",
            remedy="HANDLER is the name of a function in FILE, as in api.py:lambda_handler",
        )
    return FunctionFile(Path(head), tail)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Local choices that take part in loading.

    ``edge_functions``, ``cloudfront_functions``, ``include_body`` and the two policies hold for a
    URL or a directory TARGET only; with a definition file they are a :class:`UsageError`.
    ``parameters`` override the defaults of a template's parameters.
    """

    edge_functions: Mapping[EventType, FunctionFile] = field(default_factory=dict)
    cloudfront_functions: Mapping[EventType, Path] = field(default_factory=dict)
    include_body: bool = False
    cache_policy: str = ""
    origin_request_policy: str = ""
    function_urls: tuple[FunctionFile, ...] = ()
    load_balancers: tuple[FunctionFile, ...] = ()
    multi_value_headers: bool = False
    key_value_stores: Mapping[str, Path] = field(default_factory=dict)
    public_keys: Mapping[str, Path] = field(default_factory=dict)
    trust_stores: Mapping[str, Path] = field(default_factory=dict)
    field_level_encryption: Mapping[str, Path] = field(default_factory=dict)
    images: Mapping[str, Path] = field(default_factory=dict)
    """Folders in the place of container images, by function."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    identity: Identity = Identity()
    state_dir: Path = Path(".edgeproxy")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project with what the composition root needs beside it.

    ``origins`` says where origins really are: origin ID or domain name to a URL, to a folder's
    path, to ``function-url:<LogicalId>`` or to ``load-balancer:<LogicalId>`` of the same project.
    ``stand_ins`` maps each host name that was made up for a resource to the resource's logical ID,
    so that ``--origin <LogicalId>=…`` can be understood (CDN-CFG-280).
    ``findings`` is what AWS would refuse (CDN-CFG-390 to 403, LE-ASSOC).
    """

    project: Project
    origins: Mapping[str, str] = field(default_factory=dict)
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[CheckFinding, ...] = ()
