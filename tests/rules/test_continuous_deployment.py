"""Requests for a primary distribution that its staging distribution serves."""

import json
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.aws import cloudfront, refused
from tests.support.delivery import ALL_VIEWER, cache_policy
from tests.support.origin import Answer, Origin
from tests.unit.project.drafts import site as drafted

BY_HEADER = {
    "Type": "SingleHeader",
    "SingleHeaderConfig": {"Header": "aws-cf-cd-next", "Value": "On"},
}
NEXT = {"aws-cf-cd-next": "On"}
COOKIE = "edgeproxy-cd"
MARK = """
function handler(event) {
    var response = event.response;
    response.headers['x-served-by'] = {value: event.context.distributionId};
    return response;
}
"""


def by_weight(weight: float = 0.15, idle: int = 0, maximum: int = 0) -> dict[str, Any]:
    config: dict[str, Any] = {"Weight": weight}
    if idle:
        config["SessionStickinessConfig"] = {"IdleTTL": idle, "MaximumTTL": maximum}
    return {"Type": "SingleWeight", "SingleWeightConfig": config}


def template(
    traffic: dict[str, Any], enabled: bool = True, staging: dict[str, Any] | None = None
) -> dict[str, Any]:
    behavior = {
        "CachePolicyId": {"Ref": "Cache"},
        "OriginRequestPolicyId": ALL_VIEWER,
        "FunctionAssociations": [
            {"EventType": "viewer-response", "FunctionARN": {"Fn::GetAtt": ["Mark", "FunctionARN"]}}
        ],
    }
    policy = {
        "Enabled": enabled,
        "StagingDistributionDnsNames": [{"Fn::GetAtt": ["Next", "DomainName"]}],
        "TrafficConfig": traffic,
    }
    return {
        "Cache": cache_policy(cookies="all"),
        "Mark": {
            "Type": "AWS::CloudFront::Function",
            "Properties": {
                "Name": "mark",
                "AutoPublish": True,
                "FunctionCode": MARK,
                "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
            },
        },
        "Site": drafted(behavior, {"ContinuousDeploymentPolicyId": {"Ref": "Policy"}}),
        "Next": drafted(behavior, {"Staging": True, **(staging or {})}),
        "Policy": {
            "Type": "AWS::CloudFront::ContinuousDeploymentPolicy",
            "Properties": {"ContinuousDeploymentPolicyConfig": policy},
        },
    }


Serve = Callable[..., Site]


@pytest.fixture
def serve(shared: Edge, origin: Origin, tmp_path: Path) -> Iterator[Serve]:
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"})

    def start(resources: dict[str, Any], **options: Any) -> Site:
        path = tmp_path / "template.json"
        path.write_text(json.dumps({"Resources": resources}))
        return shared.serve(path, origins={"web": origin.url}, **options)

    yield start
    shared.clock.reset()


class Viewer:
    """A browser, as far as cookies are concerned."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ids = {each["id"]: name for name, each in site.endpoints["distributions"].items()}
        self.cookie = ""
        self.attributes: dict[str, str] = {}

    def get(self, path: str = "/", **headers: str) -> str:
        """The distribution that its function says has answered."""
        if self.cookie:
            headers["Cookie"] = f"a=1; {COOKIE}={self.cookie}; b=2"
        response = self.site.get(path, headers=headers)
        if COOKIE in (line := response.headers.get("Set-Cookie") or ""):
            morsel = SimpleCookie(line)[COOKIE]
            self.cookie = morsel.value
            self.attributes = {name: str(value) for name, value in morsel.items() if value}
        return str(self.ids[response.headers.get("x-served-by")])


def drawn(site: Site, wanted: str) -> Viewer:
    """A viewer whose session is on the side that is wanted."""
    for _ in range(200):
        viewer = Viewer(site)
        if viewer.get() == wanted:
            return viewer
    raise AssertionError(f"no session was drawn for {wanted}")


@pytest.mark.rule("CDN-CD-03", "CDN-CD-07", "CDN-CD-13")
def test_a_header_chooses_and_is_a_header_like_any_other(serve: Serve, origin: Origin) -> None:
    site = serve(template(BY_HEADER))
    viewer = Viewer(site)
    assert [viewer.get(), viewer.get(**NEXT)] == ["Site", "Next"]
    assert viewer.get(**{"AWS-CF-CD-NEXT": "On"}) == "Next"
    for other in ("on", "On ", "One", ""):
        assert viewer.get(**{"aws-cf-cd-next": f"x{other}"}) == "Site"
    assert viewer.get(**{"aws-cf-cd-next": "on"}) == "Site"
    assert viewer.get(**{"aws-cf-cd-other": "On"}) == "Site"
    assert site.invalidate("/*") == 1
    assert site.invalidate("/*", distribution="Next") == 1
    # Each side has fetched the object for itself, once.
    assert [dict(got.headers).get("aws-cf-cd-next") for got in origin.got] == [None, "On"]
    assert viewer.attributes == {}


def test_who_served_and_why_is_told(serve: Serve) -> None:
    site = serve(template(BY_HEADER))
    explained = site.get("/", headers={**NEXT, "x-edgeproxy-explain": "1"})
    why = explained.headers.get("x-edgeproxy-why")
    assert why.startswith("Next serves: aws-cf-cd-next is as configured; ")
    site.get("/")
    [second, first] = sorted(site.exchanges(2), key=lambda each: each.started, reverse=True)
    assert (first.name, first.primary) == ("Next", "Site")
    assert (second.name, second.primary) == ("Site", "")
    [step] = [step for step in first.steps if step.name == "continuous deployment"]
    assert step.decision is not None
    assert (step.decision.kind, step.decision.facts) == ("staging", {"distribution": "Next"})
    assert "behind its primary distribution:  distribution Next" in site.console


@pytest.mark.rule("CDN-CD-08")
def test_staging_is_never_passed_by(serve: Serve) -> None:
    viewer = Viewer(serve(template(BY_HEADER)))
    assert {viewer.get(f"/{number}", **NEXT) for number in range(100)} == {"Next"}


@pytest.mark.rule("CDN-CD-01")
def test_a_staging_distribution_has_no_door_of_its_own(serve: Serve, origin: Origin) -> None:
    resources = {**template(BY_HEADER), "Other": drafted()}
    site = serve(resources)
    endpoints = site.endpoints["distributions"]
    staging = endpoints["Next"]
    assert (staging["url"], staging["https_url"]) == (None, None)
    assert endpoints["Site"]["url"]
    for host in (staging["domain_name"], f"{staging['id']}.cloudfront.localhost"):
        refusal = site.get("/", headers={"Host": host, **NEXT})
        assert (refusal.status, refusal.x_cache) == (403, "Error from cloudfront")
    assert origin.got == []
    host = endpoints["Site"]["domain_name"]
    reached = site.get("/", headers={"Host": host, **NEXT})
    assert reached.headers.get("x-served-by") == staging["id"]


@pytest.mark.rule("CDN-CD-02")
def test_a_weight_is_drawn_for_each_request_and_repeatable(serve: Serve) -> None:
    def sides() -> list[str]:
        viewer = Viewer(serve(template(by_weight(0.15)), seed=7))
        served = [viewer.get() for _ in range(200)]
        assert viewer.cookie == ""
        return served

    first = sides()
    assert 15 <= first.count("Next") <= 45
    assert sides() == first
    never = Viewer(serve(template(by_weight(0)), seed=7))
    assert {never.get() for _ in range(50)} == {"Site"}


@pytest.mark.rule("CDN-CD-04", "CDN-CD-05")
def test_a_session_stays_on_its_side(serve: Serve, shared: Edge, origin: Origin) -> None:
    site = serve(template(by_weight(0.15, 300, 900)), seed=1)
    staged, other = drawn(site, "Next"), drawn(site, "Site")
    assert staged.attributes == {"path": "/", "max-age": "300", "httponly": "True"}
    first = len(origin.got)
    for _ in range(4):
        shared.clock.advance(seconds=200)
        assert (staged.get("/kept"), other.get("/kept")) == ("Next", "Site")
    # 800 of 900 seconds are over.
    assert int(staged.attributes["max-age"]) in (99, 100)
    # Neither in the key, although all cookies are, nor on its way to the origin.
    later = origin.got[first:]
    assert len(later) == 4  # Each side's object, and again when it is no longer fresh.
    assert {dict(got.headers)["Cookie"] for got in later} == {"a=1; b=2"}


def session(viewer: Viewer) -> tuple[str, ...]:
    """What tells a session from the next one: its epoch and its begin."""
    _, epoch, started, _ = viewer.cookie.split(".")
    return epoch, started


@pytest.mark.rule("CDN-CD-04")
@pytest.mark.parametrize("waits", [[298, 1], [300], [298, 298, 298, 7], [250, 250, 250, 150]])
def test_when_a_session_ends(waits: list[int], serve: Serve, shared: Edge) -> None:
    viewer = Viewer(serve(template(by_weight(0.15, 300, 900))))
    viewer.get()
    begun = session(viewer)
    for wait in waits[:-1]:
        shared.clock.advance(seconds=wait)
        viewer.get()
        assert session(viewer) == begun
    shared.clock.advance(seconds=waits[-1])
    viewer.get()
    ended = waits[-1] >= 300 or sum(waits) >= 900
    assert (session(viewer) != begun) is ended


def config_of(client: Any) -> tuple[str, str, dict[str, Any]]:
    [summary] = client.list_continuous_deployment_policies()["ContinuousDeploymentPolicyList"][
        "Items"
    ]
    policy_id = summary["ContinuousDeploymentPolicy"]["Id"]
    answer = client.get_continuous_deployment_policy_config(Id=policy_id)
    return policy_id, answer["ETag"], answer["ContinuousDeploymentPolicyConfig"]


def update(client: Any, **changes: Any) -> Any:
    policy_id, etag, config = config_of(client)
    return client.update_continuous_deployment_policy(
        Id=policy_id, IfMatch=etag, ContinuousDeploymentPolicyConfig={**config, **changes}
    )


@pytest.mark.rule("CDN-CD-06", "CDN-CD-11")
def test_switching_policy_or_stickiness_ends_all_sessions(serve: Serve) -> None:
    sticky = by_weight(0.15, 300, 900)
    site = serve(template(sticky), seed=1)
    client = cloudfront(site.endpoints["cloudfront_api"])
    viewer = drawn(site, "Next")
    begun = session(viewer)
    update(client, TrafficConfig=by_weight(0.01, 300, 900))
    assert (viewer.get(), session(viewer)) == ("Next", begun)  # Another weight changes nothing.
    update(client, Enabled=False)
    assert viewer.get() == "Site"
    update(client, Enabled=True)
    viewer.get()
    assert session(viewer)[0] != begun[0]
    begun = session(viewer)
    update(client, TrafficConfig=by_weight(0.15))
    update(client, TrafficConfig=sticky)
    viewer.get()
    assert session(viewer)[0] != begun[0]


@pytest.mark.rule("CDN-CD-06")
def test_a_reload_that_switches_ends_all_sessions(
    serve: Serve, shared: Edge, tmp_path: Path
) -> None:
    resources = template(by_weight(0.15, 300, 900))
    site = serve(resources)
    viewer = Viewer(site)
    viewer.get()
    begun = session(viewer)

    def reload(changed: dict[str, Any]) -> None:
        (tmp_path / "template.json").write_text(json.dumps({"Resources": changed}))
        shared.call(site.running.program.apply(site.running._load()))

    reload(template(by_weight(0.01, 300, 900)))
    viewer.get()
    assert session(viewer) == begun
    reload(template(by_weight(0.15, 300, 900), enabled=False))
    assert viewer.get() == "Site"
    reload(resources)
    viewer.get()
    assert session(viewer)[0] != begun[0]


@pytest.mark.rule("CDN-CD-11")
def test_a_disabled_policy_sends_everything_to_the_primary(serve: Serve) -> None:
    viewer = Viewer(serve(template(BY_HEADER, enabled=False)))
    assert viewer.get(**NEXT) == "Site"


@pytest.mark.rule("CDN-CFG-219")
def test_a_policy_over_the_api(serve: Serve) -> None:
    site = serve(template(BY_HEADER))
    client = cloudfront(site.endpoints["cloudfront_api"])
    viewer = Viewer(site)
    policy_id, etag, config = config_of(client)
    assert config == {
        "StagingDistributionDnsNames": {
            "Quantity": 1,
            "Items": [site.endpoints["distributions"]["Next"]["domain_name"]],
        },
        "Enabled": True,
        "TrafficConfig": BY_HEADER,
    }
    whole = client.get_continuous_deployment_policy(Id=policy_id)
    assert whole["ContinuousDeploymentPolicy"]["ContinuousDeploymentPolicyConfig"] == config
    primary = client.get_distribution_config(Id=site.endpoints["distributions"]["Site"]["id"])
    assert primary["DistributionConfig"]["ContinuousDeploymentPolicyId"] == policy_id
    changed = {
        "Type": "SingleHeader",
        "SingleHeaderConfig": {"Header": "aws-cf-cd-next", "Value": "Off"},
    }
    answer = update(client, TrafficConfig=changed)
    assert answer["ETag"] != etag
    assert viewer.get(**NEXT) == "Site"
    assert viewer.get(**{"aws-cf-cd-next": "Off"}) == "Next"
    for traffic in (by_weight(0.2), by_weight(0.1, 200, 300)):
        with pytest.raises(client.exceptions.InvalidArgument):
            update(client, TrafficConfig=traffic)
    call = client.update_continuous_deployment_policy
    wrong = {"Id": policy_id, "ContinuousDeploymentPolicyConfig": config, "IfMatch": etag}
    assert refused(call, **wrong) == (412, "PreconditionFailed")
    get = client.get_continuous_deployment_policy
    assert refused(get, Id="none") == (404, "NoSuchContinuousDeploymentPolicy")


@pytest.mark.rule("CDN-CD-10")
def test_promotion(serve: Serve, shared: Edge, tmp_path: Path) -> None:
    resources = template(BY_HEADER, staging={"DefaultRootObject": "next.html"})
    config = resources["Site"]["Properties"]["DistributionConfig"]
    config["Aliases"] = ["www.example.com"]
    site = serve(resources)
    client = cloudfront(site.endpoints["cloudfront_api"])
    ids = {name: each["id"] for name, each in site.endpoints["distributions"].items()}
    before = {name: client.get_distribution(Id=each) for name, each in ids.items()}
    call = client.update_distribution_with_staging_config
    promotion = {"Id": ids["Site"], "StagingDistributionId": ids["Next"]}
    assert refused(call, **promotion, IfMatch=before["Site"]["ETag"]) == (412, "PreconditionFailed")
    both = f"{before['Site']['ETag']},{before['Next']['ETag']}"
    unknown = {**promotion, "StagingDistributionId": ids["Site"]}
    assert refused(call, **unknown, IfMatch=both) == (404, "NoSuchDistribution")
    answer = call(**promotion, IfMatch=both)
    assert answer["ETag"] != before["Site"]["ETag"]
    promoted = answer["Distribution"]["DistributionConfig"]
    assert promoted["DefaultRootObject"] == "next.html"
    assert promoted["Aliases"]["Items"] == ["www.example.com"]
    assert promoted["Staging"] is False
    policy_id, _, policy = config_of(client)
    assert promoted["ContinuousDeploymentPolicyId"] == policy_id
    assert policy["Enabled"] is False
    viewer = Viewer(site)
    assert viewer.get(**NEXT) == "Site"
    [exchange] = [each for each in site.exchanges(1) if each.name == "Site"]
    assert [step for step in exchange.steps if step.name == "origin"]
    # It stays over a reload that says nothing new of it, and ends with one that does.
    program = site.running.program

    def reload(changed: dict[str, Any]) -> str:
        (tmp_path / "template.json").write_text(json.dumps({"Resources": changed}))
        shared.call(program.apply(site.running._load()))
        return program.project.distributions["Site"].default_root_object

    assert reload({**resources, "Other": drafted()}) == "next.html"
    config["DefaultRootObject"] = "index.html"
    assert reload(resources) == "index.html"


@pytest.mark.rule("CDN-CD-12")
def test_what_differs_on_staging(serve: Serve, origin: Origin) -> None:
    other = {
        "Id": "web",
        "DomainName": "other.example.com",
        "OriginPath": "/other",
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
    }
    staging = {
        "Comment": "next",
        "Origins": [other],
        "DefaultRootObject": "next.html",
        "CustomErrorResponses": [
            {"ErrorCode": 403, "ResponseCode": 200, "ResponsePagePath": "/sorry"}
        ],
        "Restrictions": {"GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["DE"]}},
        "Logging": {"Bucket": "logs.s3.amazonaws.com"},
    }
    site = serve(template(BY_HEADER, staging=staging))
    assert "CDN-CD-12" not in site.console
    german = {"x-edgeproxy-viewer-country": "DE"}
    assert site.get("/", headers=german).status == 200
    assert site.get("/", headers=NEXT).status == 200
    assert site.get("/a", headers={**german, **NEXT}).status == 200
    assert origin.targets == ["/", "/other/next.html", "/other/sorry"]


@pytest.mark.parametrize(
    ("traffic", "headers", "chosen", "why"),
    [
        (BY_HEADER, {}, "Site", "aws-cf-cd-next is not as configured"),
        (BY_HEADER, NEXT, "Next", "aws-cf-cd-next is as configured"),
        (by_weight(0.1), {}, "Site", "sent to staging with weight 0.1"),
    ],
)
def test_explain_says_who_would_serve(
    traffic: dict[str, Any], headers: dict[str, str], chosen: str, why: str, serve: Serve
) -> None:
    site = serve(template(traffic))
    url = f"{site.endpoints['control']}/api/explain"
    body = json.dumps({"url": "/a", "headers": list(headers.items())}).encode()
    answer = site.request(
        "POST", "/api/explain", headers={"Content-Type": "application/json"}, body=body, url=url
    )
    document = json.loads(answer.text)
    assert "error" not in document, document
    choice = document["continuous_deployment"]
    assert (choice["policy"], choice["staging"], choice["chosen"]) == ("Policy", "Next", chosen)
    assert why in choice["why"]
    assert document["distribution"]["logical_id"] == chosen
