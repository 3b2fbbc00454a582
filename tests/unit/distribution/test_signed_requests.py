"""Whether a request is signed, whatever is in its query string and cookies."""

from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.distribution.model import PublicKey
from edgeproxy.distribution.signed_requests import SIGNING_PARAMETERS, Objection, judge_signature
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from tests.support.signing import Signer, cloudfront_base64, custom_policy, ecdsa

SIGNER = Signer("K1", ecdsa())
KEYS = {"K1": PublicKey("K1", SIGNER.pem)}
HOST = ("Host", "www.example.com")

values = st.text(max_size=20) | st.sampled_from(
    ["K1", "AAAA", "1900000000", "SHA256", cloudfront_base64(custom_policy().encode())]
)
pairs = st.lists(st.tuples(st.sampled_from(sorted(SIGNING_PARAMETERS)), values), max_size=8)


@given(pairs, pairs)
def test_nothing_unsigned_gets_in(
    query: list[tuple[str, str]], cookies: list[tuple[str, str]]
) -> None:
    line = "; ".join(f"CloudFront-{name}={value}" for name, value in cookies)
    request = Request(
        "GET",
        "/a",
        "&".join(f"{name}={value}" for name, value in query),
        headers=Headers([HOST, ("Cookie", line)]),
    )
    unsigned = judge_signature(request, KEYS, 0)
    assert unsigned is not None
    assert unsigned.why


def test_the_first_of_two_values_counts() -> None:
    _, _, query = SIGNER.url("http://www.example.com/a", 100).partition("?")
    good = Request("GET", "/a", f"{query}&Signature=AAAA", headers=Headers([HOST]))
    assert judge_signature(good, KEYS, 0) is None
    bad = Request("GET", "/a", f"Signature=AAAA&{query}", headers=Headers([HOST]))
    unsigned = judge_signature(bad, KEYS, 0)
    assert unsigned is not None
    assert unsigned.objection is Objection.ACCESS_DENIED
