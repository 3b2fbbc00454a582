"""Multi-tenant distributions through a whole edge: hosts, origins, events, cache, API."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.aws import cloudfront, refused
from tests.support.edge_functions import telling, told
from tests.support.origin import Answer, Origin, running_origin
from tests.support.tenants import MULTI_TENANT, group, tenant
from tests.support.viewer_functions import function, viewer_functions_template

ACME, BOLT = {"Host": "www.acme.test"}, {"Host": "bolt.test"}
BATCH = {"Paths": {"Quantity": 1, "Items": ["/x"]}, "CallerReference": "one"}
TENANTS = {
    "Group": group(),
    "Acme": tenant(
        "www.acme.test",
        {"name": "acme", "theme": "dark"},
        ConnectionGroupId={"Fn::GetAtt": ["Group", "Id"]},
    ),
    "Bolt": tenant("*.bolt.test", {"name": "bolt"}, Domains=["bolt.test", "*.bolt.test"]),
}


@pytest.fixture
def serve(shared: Edge, origin: Origin, tmp_path: Path) -> Callable[..., Site]:
    """Serves ``Site``, multi-tenant with two tenants unless told otherwise, with functions."""
    origin.answer = lambda got: Answer(
        headers={"Cache-Control": "max-age=60"}, body=f"{got.header('Host')}{got.target}".encode()
    )

    def start(
        viewer_functions: dict[str, str] | None = None,
        tenants: dict[str, Any] = TENANTS,
        **template: Any,
    ) -> Site:
        path = viewer_functions_template(
            tmp_path,
            viewer_functions or {},
            resources=tenants,
            distribution=MULTI_TENANT,
            **{"behavior": {"OriginRequestPolicyId": None}, **template},
        )
        return shared.serve(path, origins={"web": origin.url})

    return start


@pytest.mark.rule("CDN-CFG-041")
def test_a_tenant_is_the_distribution_with_its_parameters(serve: Callable[..., Site]) -> None:
    site = serve()
    assert site.get("/a", headers=ACME).text == "acme.example.com/dark/a"
    assert site.get("/a", headers=BOLT).text == "bolt.example.com/basic/a"
    assert site.get("/a", headers={"Host": "shop.bolt.test"}).text == "bolt.example.com/basic/a"
    own = site.endpoints["distributions"]
    assert list(own) == ["Acme", "Bolt"]
    assert site.get("/b", url=own["Acme"]["url"]).text == "acme.example.com/dark/b"
    local = {"Host": f"{own['Bolt']['id']}.cloudfront.localhost"}
    assert site.get("/b", headers=local).text == "bolt.example.com/basic/b"
    assert "distribution tenant Bolt (bolt.test, *.bolt.test)" in site.console


@pytest.mark.rule("CDN-CFG-041")
def test_only_the_domains_of_tenants_lead_to_them(serve: Callable[..., Site]) -> None:
    site = serve()
    (shared,) = site.running.program.project.multi_tenant_distributions.values()
    endpoint = site.endpoints["distributions"]["Acme"]["domain_name"]
    for host in (endpoint, f"{shared.id}.cloudfront.net", f"{shared.id}.cloudfront.localhost"):
        assert site.get("/", headers={"Host": host}).status == 403


@pytest.mark.rule("CDN-CFG-041")
@pytest.mark.parametrize(
    "tenants",
    [
        pytest.param({"Acme": tenant("a.test", {"name": "a"}, Enabled=False)}, id="tenant"),
        pytest.param(
            {
                "Group": group(Enabled=False),
                "Acme": tenant("a.test", {"name": "a"}, ConnectionGroupId={"Ref": "Group"}),
            },
            id="group",
        ),
    ],
)
def test_a_disabled_tenant_serves_nothing(
    serve: Callable[..., Site], tenants: dict[str, Any]
) -> None:
    site = serve(tenants={**tenants, "Other": tenant("b.test", {"name": "b"})})
    assert site.get("/", headers={"Host": "a.test"}).status == 403
    assert site.get("/", headers={"Host": "b.test"}).status == 200


@pytest.mark.rule("CFF-EVT-03", "CFF-HLP-03")
def test_what_a_cloudfront_function_sees_of_a_tenant(serve: Callable[..., Site]) -> None:
    parameters = "['name', 'theme'].map(k => cf.distributionTenant.parameters.get(k))"
    seen = f"{{context: event.context, id: cf.distributionTenant.id, parameters: {parameters}}}"
    site = serve(
        {
            "viewer-request": function(
                result=f"{{statusCode: 200, body: JSON.stringify({seen})}}",
                head="import cf from 'cloudfront';",
            )
        }
    )
    (shared,) = site.running.program.project.multi_tenant_distributions.values()
    for headers, name, values in (
        (ACME, "Acme", ["acme", "dark"]),
        (BOLT, "Bolt", ["bolt", "basic"]),
    ):
        response = site.get("/", headers=headers)
        answer: Any = response.json()
        tenant_of = site.endpoints["distributions"][name]
        assert answer == {
            "context": {
                "endpoint": tenant_of["domain_name"],
                "distributionId": shared.id,
                "eventType": "viewer-request",
                "requestId": response.headers.get("X-Amz-Cf-Id"),
            },
            "id": tenant_of["id"],
            "parameters": values,
        }
        assert answer["id"].startswith("dt_")
        assert answer["context"]["endpoint"].endswith(".cloudfront.net")


@pytest.mark.rule("CFF-HLP-03")
def test_a_parameter_that_a_tenant_does_not_have(serve: Callable[..., Site]) -> None:
    get = "cf.distributionTenant.parameters.get('x');"
    caught = f"try {{ {get} }} catch (e) {{ return {{statusCode: 200, body: e.name}}; }}"
    code = function(caught, head="import cf from 'cloudfront';")
    told_as = serve({"viewer-request": code}).get("/", headers=ACME).text
    assert told_as == "DistributionTenantParameterKeyNotFound"


@pytest.mark.rule("CDN-CFG-041")
def test_what_a_lambda_function_sees_of_a_tenant(serve: Callable[..., Site]) -> None:
    site = serve(lambda_functions={"origin-request": telling("origin-request")})
    assert site.get("/", headers=ACME).status == 200
    ((_, event),) = told(site)
    (shared,) = site.running.program.project.multi_tenant_distributions.values()
    endpoint = site.endpoints["distributions"]["Acme"]["domain_name"]
    assert event["config"]["distributionId"] == shared.id
    assert event["config"]["distributionDomainName"] == endpoint
    assert event["request"]["origin"]["custom"]["domainName"] == "acme.example.com"
    assert event["request"]["origin"]["custom"]["path"] == "/dark"


@pytest.mark.rule("CDN-CFG-041", "CDN-KEY-01", "CDN-INV-19")
def test_tenants_share_no_objects(serve: Callable[..., Site]) -> None:
    tenants = {
        "One": tenant("one.test", {"name": "same"}),
        "Two": tenant("two.test", {"name": "same"}),
    }
    site = serve(tenants=tenants)
    one, two = {"Host": "one.test"}, {"Host": "two.test"}

    def outcomes() -> list[str]:
        return [site.get("/x", headers=host).x_cache.split()[0] for host in (one, two)]

    assert (outcomes(), outcomes()) == (["Miss", "Miss"], ["Hit", "Hit"])
    ids = {name: each["id"] for name, each in site.endpoints["distributions"].items()}
    client = cloudfront(site.endpoints["cloudfront_api"])
    made = client.create_invalidation_for_distribution_tenant(
        Id=ids["One"], InvalidationBatch=BATCH
    )
    assert f"/distribution-tenant/{ids['One']}/invalidation/" in made["Location"]
    assert outcomes() == ["Miss", "Hit"]
    listed = client.list_invalidations_for_distribution_tenant(Id=ids["One"])["InvalidationList"]
    (summary,) = listed["Items"]
    again = client.get_invalidation_for_distribution_tenant(
        DistributionTenantId=ids["One"], Id=summary["Id"]
    )
    assert again["Invalidation"]["InvalidationBatch"] == BATCH
    with_none = client.list_invalidations_for_distribution_tenant(Id=ids["Two"])
    assert with_none["InvalidationList"]["Quantity"] == 0
    assert refused(client.list_invalidations_for_distribution_tenant, Id="dt_x") == (
        404,
        "EntityNotFound",
    )


@pytest.mark.rule("CDN-CFG-041")
def test_the_api_shows_the_multi_tenant_distribution(serve: Callable[..., Site]) -> None:
    site = serve()
    client = cloudfront(site.endpoints["cloudfront_api"])
    (summary,) = client.list_distributions()["DistributionList"]["Items"]
    config = client.get_distribution_config(Id=summary["Id"])["DistributionConfig"]
    assert config["ConnectionMode"] == "tenant-only"
    assert config["TenantConfig"] == MULTI_TENANT["TenantConfig"]
    assert config["Origins"]["Items"][0]["DomainName"] == "{{name}}.example.com"
    for host in (ACME, BOLT):
        site.get("/x", headers=host)
    assert site.invalidate("/x", distribution="Site") == 2
    for host in (ACME, BOLT):
        site.get("/x", headers=host)
    client.create_invalidation(DistributionId=summary["Id"], InvalidationBatch=BATCH)
    assert [site.get("/x", headers=host).x_cache for host in (ACME, BOLT)] == [
        "Miss from cloudfront"
    ] * 2
    assert refused(client.get_distribution, Id=site.endpoints["distributions"]["Acme"]["id"]) == (
        404,
        "NoSuchDistribution",
    )


@pytest.mark.rule("CDN-CFG-041")
def test_the_origin_of_each_tenant_can_be_elsewhere(
    shared: Edge, origin: Origin, tmp_path: Path
) -> None:
    path = viewer_functions_template(tmp_path, {}, resources=TENANTS, distribution=MULTI_TENANT)
    with running_origin() as other:
        site = shared.serve(
            path, origins={"acme.example.com": origin.url, "bolt.example.com": other.url}
        )
        for host in (ACME, BOLT):
            assert site.get("/", headers=host).status == 200
        assert (origin.targets, other.targets) == (["/dark/"], ["/basic/"])


@pytest.mark.rule("CDN-CFG-041")
def test_a_tenants_geographic_restriction_takes_the_distributions_place(
    shared: Edge, origin: Origin, tmp_path: Path
) -> None:
    own = {"GeoRestrictions": {"RestrictionType": "whitelist", "Locations": ["DE"]}}
    blocked = {"GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["DE"]}}
    path = viewer_functions_template(
        tmp_path,
        {},
        resources={
            "Own": tenant("own.test", {"name": "own"}, Customizations=own),
            "Inherits": tenant("inherits.test", {"name": "inherits"}),
        },
        distribution={**MULTI_TENANT, "Restrictions": blocked},
    )
    site = shared.serve(path, origins={"web": origin.url}, viewer_country="DE")
    hosts = ("own.test", "inherits.test")
    assert [site.get("/", headers={"Host": host}).status for host in hosts] == [200, 403]


@pytest.mark.rule("CDN-CFG-041")
def test_the_log_of_a_function_names_the_distribution(serve: Callable[..., Site]) -> None:
    site = serve({"viewer-request": function("console.log('hi');")})
    site.get("/", headers=ACME)
    (shared,) = site.running.program.project.multi_tenant_distributions.values()
    lines = site.running.program.log_groups.newest("/aws/cloudfront/function/CffViewerRequest", 10)
    assert any(f"DistributionID: {shared.id}" in line.message for line in lines)
