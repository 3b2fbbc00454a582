"""Which origin a request goes to, and what a CloudFront Function may change about it."""

from dataclasses import replace
from typing import Any

import pytest

from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    Origin,
    OriginGroup,
    S3Origin,
)
from edgeproxy.edge.origin_choice import Choice, Target, choose
from edgeproxy.http.headers import Headers
from edgeproxy.runtimes.cloudfront_js.origin import (
    CustomOriginChange,
    OriginGroupChange,
    SelectOrigin,
    UpdateOrigin,
)

WEB = Origin(
    "web",
    "web.example",
    CustomOrigin("https-only", 8000, 8443, ("TLSv1.2",), 20, 4),
    "/app",
    Headers([("X-Key", "secret")]),
    connection_attempts=2,
    connection_timeout_s=8,
    response_completion_timeout_s=60,
    origin_shield_region="eu-central-1",
)
SPARE = Origin("spare", "spare.example", CustomOrigin())
BUCKET = Origin("bucket", "files.s3.eu-central-1.amazonaws.com", S3Origin(read_timeout_s=12))
GROUP = OriginGroup("both", "web", "spare", frozenset({500, 502}))
BEHAVIOR = Behavior("*", "web", CachePolicy("CachingOptimized", 1, 86_400, 31_536_000))
SITE = Distribution(
    "Site",
    "E1",
    "d1.cloudfront.net",
    {origin.id: origin for origin in (WEB, SPARE, BUCKET)},
    BEHAVIOR,
    origin_groups={"both": GROUP},
)
PLAIN = CustomOriginChange(9000, "http", ("TLSv1.2",))


def to(target: str, change: Any = None) -> Choice:
    return choose(SITE, replace(BEHAVIOR, target_origin_id=target), change)


def updated(target: str = "web", **change: Any) -> Target:
    return to(target, UpdateOrigin(**change)).primary


def test_without_a_change_it_is_the_behavior_s_origin() -> None:
    assert to("web") == Choice(Target(WEB))


def test_or_its_origin_group() -> None:
    assert to("both") == Choice(Target(WEB), Target(SPARE), frozenset({500, 502}))


class TestUpdate:
    @pytest.mark.rule("CFF-ORG-02")
    def test_what_is_not_named_is_inherited(self) -> None:
        assert updated() == Target(WEB)

    @pytest.mark.rule("CFF-ORG-02", "CFF-ORG-03")
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"domain_name": "other.example"}, {"domain_name": "other.example"}),
            ({"origin_path": "/v2"}, {"origin_path": "/v2"}),
            ({"origin_path": ""}, {"origin_path": ""}),
            ({"connection_attempts": 1}, {"connection_attempts": 1}),
            ({"connection_timeout_s": 3}, {"connection_timeout_s": 3}),
            ({"response_completion_timeout_s": 30}, {"response_completion_timeout_s": 30}),
            ({"origin_shield_region": ""}, {"origin_shield_region": ""}),
        ],
    )
    def test_what_is_named_is_replaced(
        self, change: dict[str, Any], expected: dict[str, Any]
    ) -> None:
        assert updated(**change).origin == replace(WEB, **expected)

    @pytest.mark.rule("CFF-ORG-03")
    def test_timeouts_of_the_connection(self) -> None:
        config = updated(read_timeout_s=7, keepalive_timeout_s=9).origin.config
        assert config == replace(WEB.config, read_timeout_s=7, keepalive_timeout_s=9)
        assert updated("bucket", read_timeout_s=7, keepalive_timeout_s=9).origin.config == S3Origin(
            read_timeout_s=7
        )

    @pytest.mark.rule("CFF-ORG-06")
    @pytest.mark.parametrize(
        ("headers", "lines"),
        [
            (None, [("X-Key", "secret")]),
            ({}, []),
            ({"x-new": "1"}, [("x-new", "1")]),
        ],
    )
    def test_custom_headers(self, headers: Any, lines: list[tuple[str, str]]) -> None:
        assert updated(custom_headers=headers).origin.custom_headers.lines() == lines

    @pytest.mark.rule("CFF-ORG-08")
    @pytest.mark.parametrize(
        ("change", "host"),
        [
            ({"domain_name": "o.example", "host_header": "h.example"}, "h.example"),
            ({"host_header": "h.example"}, "h.example"),
            # With the port where it is not the scheme's default: WEB is asked on 8443.
            ({"domain_name": "o.example"}, "o.example:8443"),
            (
                {
                    "domain_name": "o.example",
                    "custom_origin": CustomOriginChange(80, "http", ("TLSv1.2",)),
                },
                "o.example",
            ),
            ({"origin_path": "/v2"}, None),
        ],
    )
    def test_the_host_that_is_sent(self, change: dict[str, Any], host: str | None) -> None:
        assert updated(**change).host == host

    @pytest.mark.rule("CFF-ORG-11")
    @pytest.mark.parametrize(
        ("protocol", "policy", "ports"),
        [("http", "http-only", (9000, 8443)), ("https", "https-only", (8000, 9000))],
    )
    def test_a_custom_origin_s_connection(
        self, protocol: Any, policy: str, ports: tuple[int, int]
    ) -> None:
        change = CustomOriginChange(9000, protocol, ("TLSv1.1", "TLSv1.2"))
        assert updated(custom_origin=change).origin.config == CustomOrigin(
            policy, *ports, ("TLSv1.1", "TLSv1.2"), 20, 4
        )

    @pytest.mark.rule("CFF-ORG-11")
    @pytest.mark.parametrize(
        ("target", "domain"),
        [
            ("bucket", None),
            ("bucket", "other.s3.amazonaws.com"),
            ("bucket", "other.s3.dualstack.us-east-1.amazonaws.com"),
            ("web", "other.s3.us-east-1.amazonaws.com"),
        ],
    )
    def test_it_is_ignored_for_a_bucket(self, target: str, domain: str | None) -> None:
        origin = updated(target, domain_name=domain, custom_origin=PLAIN).origin
        assert origin.config == SITE.origins[target].config

    @pytest.mark.rule("CFF-ORG-02", "CFF-ORG-11")
    @pytest.mark.parametrize(
        "domain", ["api.example", "www.s3-website-us-east-1.amazonaws.com", "s3.example"]
    )
    def test_a_bucket_can_give_way_to_an_http_server(self, domain: str) -> None:
        origin = updated("bucket", domain_name=domain, custom_origin=PLAIN).origin
        assert not origin.is_s3
        assert origin.config == CustomOrigin("http-only", http_port=9000, read_timeout_s=12)

    @pytest.mark.rule("CFF-ORG-12")
    def test_of_a_group_only_the_primary_changes(self) -> None:
        choice = to("both", UpdateOrigin(domain_name="other.example"))
        assert choice.primary.origin.domain_name == "other.example"
        assert choice.secondary == Target(SPARE)
        assert choice.status_codes == GROUP.status_codes


class TestSelect:
    @pytest.mark.rule("CFF-ORG-14")
    @pytest.mark.parametrize("target", ["spare", "both"])
    def test_another_origin_with_all_its_settings(self, target: str) -> None:
        assert to(target, SelectOrigin("web")) == Choice(Target(WEB))

    @pytest.mark.rule("CFF-ORG-14", "CFF-ORG-08")
    def test_its_host_may_be_overridden(self) -> None:
        assert to("web", SelectOrigin("spare", "h.example")) == Choice(Target(SPARE, "h.example"))


class TestGroup:
    @pytest.mark.rule("CFF-ORG-16", "CFF-ORG-17")
    @pytest.mark.parametrize("target", ["bucket", "both"])
    def test_two_members_first_is_primary_and_the_codes_are_its_own(self, target: str) -> None:
        members = (SelectOrigin("spare", "h.example"), SelectOrigin("web"))
        choice = to(target, OriginGroupChange(members, frozenset({503})))
        assert choice == Choice(Target(SPARE, "h.example"), Target(WEB), frozenset({503}))
