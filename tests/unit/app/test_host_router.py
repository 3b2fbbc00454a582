"""With several distributions the shared listener goes by Host, each own listener by nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeproxy.testing import Edge, Site

TEMPLATE = """
Resources:
  One:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Aliases: [one.example]
        Origins:
          - {Id: one, DomainName: one.example,
             CustomOriginConfig: {OriginProtocolPolicy: http-only}}
        DefaultCacheBehavior:
          TargetOriginId: one
          ViewerProtocolPolicy: allow-all
          CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
  Two:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Aliases: ["*.two.example"]
        Origins:
          - {Id: two, DomainName: two.example,
             CustomOriginConfig: {OriginProtocolPolicy: http-only}}
        DefaultCacheBehavior:
          TargetOriginId: two
          ViewerProtocolPolicy: allow-all
          CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("two")
    (folder / "site.yaml").write_text(TEMPLATE)
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "name.txt").write_text(name)
    with Edge() as edge:
        yield edge.serve(
            folder / "site.yaml", origins={name: folder / name for name in ("one", "two")}
        )


@pytest.mark.rule("CDN-BEH-01", "CDN-BEH-02", "CDN-BEH-03")
@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("one.example", "one"),
        ("ONE.example:8080", "one"),
        ("www.two.example", "two"),
        ("a.b.two.example", "two"),
    ],
)
def test_an_alias_names_its_distribution(site: Site, host: str, text: str) -> None:
    assert site.get("/name.txt", headers={"Host": host}).text == text


@pytest.mark.rule("CDN-BEH-01")
@pytest.mark.parametrize(("name", "text"), [("One", "one"), ("Two", "two")])
def test_so_does_the_distribution_s_own_name(site: Site, name: str, text: str) -> None:
    known = site.endpoints["distributions"][name]
    for host in (known["domain_name"], f"{known['id'].lower()}.cloudfront.localhost"):
        assert site.get("/name.txt", headers={"Host": host}).text == text


@pytest.mark.rule("CDN-BEH-04")
@pytest.mark.parametrize("host", ["unknown.example", "two.example", "127.0.0.1"])
def test_another_host_gets_cloudfront_s_403(site: Site, host: str) -> None:
    answer = site.get("/name.txt", headers={"Host": host})
    assert answer.status == 403
    assert answer.x_cache == "Error from cloudfront"
    assert "\nBad request.\n" in answer.text


@pytest.mark.parametrize(("name", "text"), [("One", "one"), ("Two", "two")])
def test_a_port_of_its_own_takes_any_host(site: Site, name: str, text: str) -> None:
    url = site.endpoints["distributions"][name]["url"]
    assert url != site.endpoints["viewer"]
    for host in ("unknown.example", "one.example"):
        assert site.get("/name.txt", headers={"Host": host}, url=url).text == text
