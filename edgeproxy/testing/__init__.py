"""The same edge inside a test process.

:class:`Edge` runs everything on an event loop in a thread of its own, so tests are plain
functions; requests go over real sockets.
"""

from edgeproxy.testing.edge import Edge, EdgeClock, Site
from edgeproxy.testing.responses import SiteResponse

__all__ = ["Edge", "EdgeClock", "Site", "SiteResponse"]
