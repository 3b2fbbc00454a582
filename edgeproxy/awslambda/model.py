"""Functions and function URLs as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeproxy.awslambda.shifting import DeploymentPreference
from edgeproxy.errors import Place
from edgeproxy.runtimes.invocation import FunctionSpec

__all__ = [
    "Cors",
    "EventInvokeConfig",
    "FunctionDefinition",
    "FunctionUrl",
    "is_fifo",
    "takes_dead_letters",
]


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """How asynchronous invocations are tried again, and who is told how they ended, by ARN."""

    retries: int = 2
    """``MaximumRetryAttempts``."""
    max_age_s: int = 21_600
    """``MaximumEventAgeInSeconds``."""
    on_success: str = ""
    on_failure: str = ""


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """A Lambda function of the definition. ``logical_id`` is empty for one an option named."""

    name: str
    spec: FunctionSpec
    logical_id: str = ""
    reserved_concurrency: int | None = None
    versions: tuple[str, ...] = ("1",)
    """Numbers of the published versions; they run ``spec`` where ``frozen`` has nothing else."""
    frozen: Mapping[str, FunctionSpec] = field(default_factory=dict)
    """What versions run that were published with code and configuration of their own (LI-100)."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Alias name to version number."""
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of aliases with two versions: alias name to the other version and its share (LI-105)."""
    provisioned: Mapping[str, int] = field(default_factory=dict)
    """How many environments are kept ready, by version or alias (LI-129)."""
    event_invoke: Mapping[str, EventInvokeConfig] = field(default_factory=dict)
    """Configurations of asynchronous invocation by qualifier, ``$LATEST`` for none (LI-155)."""
    allows_recursion: bool = False
    """``RecursiveLoop`` is ``Allow`` (LI-230)."""
    policies: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    """Statements of resource-based policies by qualifier, empty for none (LI-212)."""
    deployment: DeploymentPreference | None = None
    """How the traffic of an alias moves to new code, if not at once (LI-294)."""
    watch: tuple[Path, ...] = ()
    """Files and folders whose change means new code."""
    inline: bool = False
    """The code stands in the definition itself (``ZipFile``, ``InlineCode``)."""
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class Cors:
    """The CORS configuration of a function URL."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age_s: int | None = None


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """A function URL; ``url_id`` is the first label of its AWS host name."""

    logical_id: str
    function: str
    url_id: str
    qualifier: str = ""
    auth_type: str = "NONE"
    invoke_mode: str = "BUFFERED"
    cors: Cors | None = None


def is_fifo(arn: str) -> bool:
    """Whether this is the ARN of a queue or topic that keeps the order (LI-170, LI-190)."""
    return arn.endswith(".fifo")


def takes_dead_letters(arn: str) -> bool:
    """Whether this is the ARN of a standard queue or topic (LI-170)."""
    return arn.split(":")[2:3] in (["sqs"], ["sns"]) and not is_fifo(arn)
