"""Several distributions in one template: one port by Host, and a port for each."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from edgeproxy.testing import Edge, Site
from tests.support.command import dev

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def distribution(alias: str) -> dict[str, object]:
    return {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {
            "DistributionConfig": {
                "Enabled": True,
                "Aliases": [alias],
                "ViewerCertificate": {
                    "AcmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1",
                    "SslSupportMethod": "sni-only",
                },
                "Origins": [
                    {
                        "Id": alias,
                        "DomainName": f"{alias}.s3.us-east-1.amazonaws.com",
                        "S3OriginConfig": {},
                    }
                ],
                "DefaultCacheBehavior": {
                    "TargetOriginId": alias,
                    "ViewerProtocolPolicy": "allow-all",
                    "CachePolicyId": CACHING_OPTIMIZED,
                },
            }
        },
    }


@pytest.fixture
def site(edge: Edge, tmp_path: Path) -> Site:
    names = ("shop.example.com", "*.blog.example.com")
    folders = {}
    for name in names:
        folder = tmp_path / name.strip("*.")
        folder.mkdir()
        (folder / "page").write_text(name)
        folders[name] = folder
    template = tmp_path / "template.yaml"
    resources = {"Shop": distribution(names[0]), "Blog": distribution(names[1])}
    template.write_text(yaml.safe_dump({"Resources": resources}))
    return edge.serve(template, origins=folders)


@pytest.mark.rule("CDN-BEH-01", "CDN-BEH-02", "CDN-BEH-04", "CDN-CFG-008")
def test_the_host_header_picks_on_the_viewer_port(site: Site):
    ids = {name: found["id"] for name, found in site.endpoints["distributions"].items()}
    domains = {
        name: found["domain_name"] for name, found in site.endpoints["distributions"].items()
    }
    expected = {
        "shop.example.com": "shop.example.com",
        "SHOP.example.com:8080": "shop.example.com",
        "a.blog.example.com": "*.blog.example.com",
        domains["Shop"]: "shop.example.com",
        f"{ids['Blog']}.cloudfront.localhost": "*.blog.example.com",
    }
    for host, body in expected.items():
        assert site.get("/page", headers={"Host": host}).text == body, host
    refused = site.get("/page", headers={"Host": "blog.example.com"})
    assert (refused.status, refused.x_cache) == (403, "Error from cloudfront")
    assert "Bad request." in refused.text


def test_each_has_a_port_that_takes_any_host(site: Site):
    urls = {name: found["url"] for name, found in site.endpoints["distributions"].items()}
    assert len({site.url, *urls.values()}) == 3
    assert site.get("/page", url=urls["Shop"]).text == "shop.example.com"
    assert site.get("/page", url=urls["Blog"], headers={"Host": "x"}).text == "*.blog.example.com"


@pytest.mark.rule("CDN-INV-19")
def test_an_invalidation_concerns_one_of_them(site: Site):
    urls = {name: found["url"] for name, found in site.endpoints["distributions"].items()}
    for url in urls.values():
        site.get("/page", url=url)
    assert site.invalidate("/*", distribution="Shop") == 1
    assert site.get("/page", url=urls["Blog"]).x_cache == "Hit from cloudfront"
    assert site.get("/page", url=urls["Shop"]).x_cache == "Miss from cloudfront"


def test_who_asks_for_an_unknown_host_reads_on_the_console_how_to_ask(tmp_path: Path):
    resources = {"Shop": distribution("shop.example.com"), "Blog": distribution("blog.example.com")}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))
    with dev("template.yaml", cwd=tmp_path) as command:
        viewer = command.endpoints["viewer"]
        blog = command.endpoints["distributions"]["Blog"]
        host = f"{blog['id']}.cloudfront.localhost"
        command.wait_for(f"curl -H 'Host: {host}' {viewer}/")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(viewer, timeout=10)
        refused.value.close()
        unknown = viewer.removeprefix("http://")
        told = f"no distribution answers to {unknown}; use {blog['url']} or -H 'Host: {host}'"
        command.wait_for(f"! 403 {told} for Blog, ")
