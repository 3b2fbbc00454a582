from edgeproxy.chance import Chance
from edgeproxy.distribution.response_headers import ResponseHeadersPolicy, ServerTiming
from edgeproxy.edge.response_headers import ServerTimingFacts, apply_policy
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

FACTS = ServerTimingFacts("Miss", "SEA19-C1", "abc==", 40)


def test_an_empty_policy_changes_nothing() -> None:
    response = Response(200, Headers([("Server", "nginx"), ("Vary", "Accept")]))
    got = apply_policy(
        ResponseHeadersPolicy("p"), Request("GET", "/"), response, timing=FACTS, chance=Chance(1)
    )
    assert got == response


def test_a_miss_that_asked_no_origin_has_no_upstream_times() -> None:
    policy = ResponseHeadersPolicy("p", server_timing=ServerTiming(enabled=True, sampling_rate=100))
    got = apply_policy(policy, Request("GET", "/"), Response(200), timing=FACTS, chance=Chance(1))
    assert "upstream" not in got.headers.get("Server-Timing")
    assert got.headers.get("Server-Timing").startswith("cdn-cache-miss,")


def test_chance_is_not_asked_when_server_timing_is_off() -> None:
    chance, same = Chance(1), Chance(1)
    apply_policy(
        ResponseHeadersPolicy("p"), Request("GET", "/"), Response(200), timing=FACTS, chance=chance
    )
    assert chance.fraction() == same.fraction()
