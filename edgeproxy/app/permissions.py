"""Who may come in by the doors of Lambda: ``--iam`` and ``--access-key``, and CloudFront itself."""

from edgeproxy.awslambda.access import Access
from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.callers import Key, keys_from
from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.origins.signing import Credentials
from edgeproxy.project.model import Project
from edgeproxy.settings import Settings

__all__ = ["access_from", "edge_keys"]


def access_from(settings: Settings, account: LambdaAccount) -> Access:
    """The rules that the options ask for. Raises :class:`UsageError`."""
    keys = keys_from(settings.access_key)
    return Access(account, keys, enforced=settings.iam == "enforce")


def edge_keys(project: Project, url: FunctionUrl, credentials: Credentials) -> dict[str, Key]:
    """The key with which the edge signs requests to a function URL (FU-107).

    It stands for CloudFront, and for each distribution that has the URL for an origin.
    """
    owner = project.functions[url.function].spec.arn.split(":")[4]
    sources = {
        f"arn:aws:cloudfront::{owner}:distribution/{distribution.id_in_events}": None
        for distribution in project.distributions.values()
        for origin in distribution.origins.values()
        if origin.domain_name.startswith(f"{url.url_id}.")
    }
    key = Key(credentials.secret_access_key, sources=tuple(sources))
    return {credentials.access_key_id: key} if sources else {}
