"""Public keys that CloudFront refuses, and those that are not on this machine."""

from collections.abc import Callable, Collection, Iterable, Iterator

from edgeproxy.distribution.model import PublicKey
from edgeproxy.distribution.public_keys import key_problem
from edgeproxy.errors import Place
from edgeproxy.project.report import CheckFinding, Severity

__all__ = ["check_public_key", "check_trusted", "check_unknown_key"]


def check_public_key(key: PublicKey, place: Place) -> Iterator[CheckFinding]:
    """CDN-CFG-215."""
    if problem := key_problem(key.encoded_key):
        yield CheckFinding(
            "CDN-CFG-215",
            place,
            f"InvalidArgument: the key {key.id} {problem}; what it signs is refused.",
            f"write the PEM of another one, or give --public-key {key.id}=PEM_FILE",
        )


def check_unknown_key(key_id: str, place: Place) -> Iterator[CheckFinding]:
    """A member of a key group that another definition declares (CDN-CFG-217)."""
    yield CheckFinding(
        "CDN-CFG-217",
        place,
        f"No public key {key_id} is declared here; what it signs is refused.",
        f"give --public-key {key_id}=PEM_FILE",
        Severity.WARNING,
    )


def check_trusted(
    names: Iterable[str], keys_of: Callable[[str], Collection[PublicKey]], place: Place
) -> Iterator[CheckFinding]:
    """Key groups and trusted signers without a key on this machine (CDN-CFG-123)."""
    for name in names:
        if not keys_of(name):
            yield CheckFinding(
                "CDN-CFG-123",
                place,
                f"No public key of {name} is known here; what it signs is refused.",
                "give --public-key KEY_PAIR_ID=PEM_FILE",
                Severity.WARNING,
            )
