"""Who serves a request for a primary distribution, in cases that no viewer gets into by itself."""

import pytest

from edgeproxy.distribution.deployment import (
    ContinuousDeploymentPolicy,
    SessionStickiness,
    SingleWeight,
)
from edgeproxy.edge.deployment import COOKIE, choose, without_session
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request

NOW = 10_000.0
POLICY = ContinuousDeploymentPolicy(
    "Policy", "id", True, ("next.test",), SingleWeight(0.1, SessionStickiness(300, 600))
)


def with_cookies(*lines: str) -> Request:
    return Request("GET", "/", headers=Headers([("Cookie", line) for line in lines]))


@pytest.mark.parametrize(
    ("line", "is_staging"),
    [
        (f"{COOKIE}=s.now.9990.9990", True),
        (f"a=1;{COOKIE}=s.now.9990.9990;b=2", True),
        (f"{COOKIE}=p.now.9990.9990", False),
        # Seen later than now: the clock was set back.
        (f"{COOKIE}=s.now.10500.10500", True),
        *[
            (f"{COOKIE}={value}", False)
            for value in (
                "s.then.9990.9990",
                "s.now.9990.9700",
                "s.now.9400.9990",
                "s.now.9990",
                "x.now.9990.9990",
                f"s.now.{'9' * 5000}.9990",
                "",
            )
        ],
    ],
)
def test_sessions_that_hold(line: str, is_staging: bool) -> None:
    choice = choose(POLICY, "Site", with_cookies(line), lambda: 0.5, NOW, "now")
    assert choice.is_staging is is_staging
    assert choice.set_cookie.startswith(f"{COOKIE}={'s' if is_staging else 'p'}.now.")


def test_a_policy_without_traffic_sends_nobody() -> None:
    policy = ContinuousDeploymentPolicy("Policy", "id", True, ())
    assert not choose(policy, "Site", with_cookies(), lambda: 0, NOW, "now").is_staging


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((f"a=1; {COOKIE}=s.now.1.1; b=2",), ["a=1; b=2"]),
        ((f"{COOKIE}=s.now.1.1",), []),
        ((f"{COOKIE}=1", "a=1", f"{COOKIE}=2; b=2"), ["a=1; b=2"]),
        (("a=1", "novalue; b"), ["a=1", "novalue; b"]),
    ],
)
def test_the_cookie_is_taken_out(lines: tuple[str, ...], expected: list[str]) -> None:
    assert without_session(with_cookies(*lines)).headers.get_all("Cookie") == expected
