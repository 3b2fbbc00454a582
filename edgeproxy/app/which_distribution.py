"""Which distribution somebody means who asks the running program about one."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from edgeproxy.distribution.matching import match_host
from edgeproxy.distribution.model import Distribution
from edgeproxy.errors import UsageError
from edgeproxy.project.model import Project

__all__ = ["distribution_at", "distribution_named"]


def distribution_at(host: str, project: Project, urls: Mapping[str, str]) -> Distribution:
    """The one whose door or whose name ``host`` is; the only one whatever the host.

    ``urls`` are those of the doors. Raises :class:`UsageError`.
    """
    public = project.public_distributions
    if len(public) == 1:
        return next(iter(public.values()))
    for logical_id, distribution in public.items():
        if urlsplit(urls.get(f"distribution {logical_id}", "")).netloc == host:
            return distribution
    found = match_host(list(public.values()), host)
    if found is None:
        raise UsageError(
            f"no distribution answers to {host!r}",
            rule="CDN-BEH-04",
            remedy=_there_are(public.values()),
        )
    return found


def distribution_named(name: str, project: Project) -> Distribution:
    """The one of that ID or logical ID; with an empty name, the only one for viewers.

    Raises :class:`UsageError`.
    """
    declared = [*project.distributions.values(), *project.multi_tenant_distributions.values()]
    for distribution in declared:
        if name in (distribution.logical_id, distribution.id):
            return distribution
    public = list(project.public_distributions.values())
    if not name and len(public) == 1:
        return public[0]
    what = f"no distribution is called {name!r}" if name else "which distribution?"
    raise UsageError(what, remedy=_there_are(declared))


def _there_are(distributions: Iterable[Distribution]) -> str:
    names = ", ".join(distribution.logical_id for distribution in distributions)
    return f"there is {names}" if names else "the definition declares none"
