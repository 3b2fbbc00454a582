"""The public keys that signatures are checked with: RSA with 2048 bits or ECDSA on P-256.

Only who has keys pays for the imports.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from edgeproxy.distribution.model import PublicKey
from edgeproxy.distribution.prepared import PreparedOnce

__all__ = ["HashAlgorithm", "Verifies", "key_problem", "verifier"]


class HashAlgorithm(StrEnum):
    """What is signed is a hash of the policy, SHA-1 unless said otherwise (CDN-SGN-08)."""

    SHA1 = "SHA1"
    SHA256 = "SHA256"


Verifies: TypeAlias = Callable[[bytes, bytes, HashAlgorithm], bool]
"""Whether a signature is the key's, over a text."""


def key_problem(pem: str) -> str:
    """What keeps CloudFront from taking this key, or an empty string (CDN-CFG-215)."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        return "is no public key in PEM"
    match key:
        case rsa.RSAPublicKey(key_size=2048):
            return ""
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return ""
        case _:
            return "is neither an RSA key of 2048 bits nor an ECDSA key on P-256"


@PreparedOnce
def verifier(key: PublicKey) -> Verifies:
    """Checks signatures with ``key``, which has no :func:`key_problem`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    loaded = load_pem_public_key(key.encoded_key.encode("ascii"))
    algorithms = {HashAlgorithm.SHA1: hashes.SHA1(), HashAlgorithm.SHA256: hashes.SHA256()}
    assert isinstance(loaded, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)

    def verifies(signature: bytes, text: bytes, algorithm: HashAlgorithm) -> bool:
        try:
            if isinstance(loaded, rsa.RSAPublicKey):
                loaded.verify(signature, text, padding.PKCS1v15(), algorithms[algorithm])
            else:
                # CDN-SGN-08 (U): ECDSA takes the hash that RSA takes.
                loaded.verify(signature, text, ec.ECDSA(algorithms[algorithm]))
        except InvalidSignature:
            return False
        return True

    return verifies
