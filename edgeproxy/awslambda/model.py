"""Functions and function URLs as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeproxy.errors import Place
from edgeproxy.runtimes.invocation import FunctionSpec

__all__ = ["Cors", "FunctionDefinition", "FunctionUrl"]


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """A Lambda function of the definition. ``logical_id`` is empty for one an option named."""

    name: str
    spec: FunctionSpec
    logical_id: str = ""
    reserved_concurrency: int | None = None
    versions: tuple[str, ...] = ("1",)
    """Numbers of the published versions that the definition names; all run the same code."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Alias name to version number."""
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
