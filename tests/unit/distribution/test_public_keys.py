"""Keys and the signatures that are theirs."""

from dataclasses import replace

import pytest

from edgeproxy.distribution.model import PublicKey
from edgeproxy.distribution.public_keys import HashAlgorithm, key_problem, verifier
from tests.support.signing import Signer, ecdsa, rsa_2048


@pytest.mark.parametrize("signer", [Signer("K", rsa_2048()), Signer("K", ecdsa())])
@pytest.mark.parametrize("algorithm", list(HashAlgorithm))
def test_a_signature_is_of_one_key_text_and_hash(signer: Signer, algorithm: HashAlgorithm) -> None:
    signature = replace(signer, algorithm=algorithm).sign(b"text")
    verifies = verifier(PublicKey("K", signer.pem))
    assert verifies(signature, b"text", algorithm)
    [other] = set(HashAlgorithm) - {algorithm}
    assert not verifies(signature, b"text", other)
    assert not verifies(signature, b"another", algorithm)
    assert not verifies(signature[:-1], b"text", algorithm)
    assert not verifies(b"", b"text", algorithm)
    assert not verifier(PublicKey("K", Signer("K", ecdsa()).pem))(signature, b"text", algorithm)


def test_a_private_key_is_no_public_key() -> None:
    pem = Signer("K", ecdsa()).pem
    assert key_problem(pem) == ""
    assert "no public key" in key_problem(pem.replace("PUBLIC", "PRIVATE"))
