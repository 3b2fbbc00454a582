"""Signers of URLs and cookies, for tests: botocore's own, with keys made here."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["Signer", "cloudfront_base64", "custom_policy", "ecdsa", "rsa_2048"]

_HASHES: dict[str, hashes.HashAlgorithm] = {"SHA1": hashes.SHA1(), "SHA256": hashes.SHA256()}


def rsa_2048(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def ecdsa() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def cloudfront_base64(data: bytes) -> str:
    return base64.b64encode(data).decode().translate(str.maketrans("+=/", "-_~"))


def custom_policy(resource: str | None = "*", expires: int = 2_147_483_647, **more: Any) -> str:
    """A policy as text; ``more`` are further conditions."""
    condition = {"DateLessThan": {"AWS:EpochTime": expires}, **more}
    statement = {"Condition": condition} | ({} if resource is None else {"Resource": resource})
    return json.dumps({"Statement": [statement]}, separators=(",", ":"))


@dataclass(frozen=True)
class Signer:
    """Signs with one key, under one key-pair ID."""

    key_id: str
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    algorithm: str = "SHA1"

    @cached_property
    def pem(self) -> str:
        public = self.key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def url(self, url: str, expires: int | None = None, policy: str | None = None) -> str:
        """``url`` signed by botocore, with a canned policy or the given one."""
        until = None if expires is None else datetime.fromtimestamp(expires, UTC)
        signer = CloudFrontSigner(self.key_id, self.sign)
        signed: str = signer.generate_presigned_url(url, date_less_than=until, policy=policy)
        return signed + ("" if self.algorithm == "SHA1" else f"&Hash-Algorithm={self.algorithm}")

    def cookies(
        self, url: str = "", expires: int | None = None, policy: str | None = None
    ) -> dict[str, str]:
        """A ``Cookie`` header with a canned policy for ``url``, or the given one."""
        _, _, query = self.url(url or "http://any", expires, policy).rpartition("?")
        mine = ("Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")
        pairs = [pair for pair in query.split("&") if pair.partition("=")[0] in mine]
        return {"Cookie": "; ".join(f"CloudFront-{pair}" for pair in pairs)}

    def sign(self, text: bytes) -> bytes:
        """The signature of the hash of ``text``."""
        algorithm = _HASHES[self.algorithm]
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(text, padding.PKCS1v15(), algorithm)
        return self.key.sign(text, ec.ECDSA(algorithm))
