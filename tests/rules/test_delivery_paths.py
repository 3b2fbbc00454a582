"""Which behavior, which object, which path at the origin: through a whole edge."""

import json
from pathlib import Path

import pytest

from edgeproxy.testing import Edge
from tests.support.delivery import cache_policy, definition, legacy
from tests.support.origin import Answer, Got, Origin

FRESH = Answer(headers={"Cache-Control": "max-age=60"})
ROOT = {"DefaultRootObject": "index.html"}
BAD_REQUEST = "\nBad request.\n"


@pytest.mark.rule("CDN-ROOT-01", "CDN-ROOT-02", "CDN-ROOT-08")
@pytest.mark.parametrize(
    ("asked", "at_origin"),
    [
        ("/", "/index.html"),
        ("/?a=1&b", "/index.html?a=1&b"),
        ("/install/", "/install/"),
        ("//", "//"),
        ("/index.html", "/index.html"),
        ("/.", "/."),
    ],
)
def test_the_default_root_object_stands_for_the_root_alone(deliver, origin, asked, at_origin):
    site = deliver({"cache": cache_policy(query="all")}, **ROOT)
    assert site.get(asked).status == 200
    assert origin.targets == [at_origin]


@pytest.mark.rule("CDN-ROOT-01", "CDN-KEY-01")
def test_root_and_root_object_are_one_object(deliver, origin):
    origin.answer = FRESH
    site = deliver({}, **ROOT)
    assert site.get("/").x_cache == "Miss from cloudfront"
    assert site.get("/index.html").x_cache == "Hit from cloudfront"


@pytest.mark.rule("CDN-ROOT-03")
def test_the_root_object_may_lie_in_a_folder(deliver, origin):
    deliver({}, DefaultRootObject="folder/index.html").get("/")
    assert origin.targets == ["/folder/index.html"]


@pytest.mark.rule("CDN-ROOT-04")
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_the_root_object_is_for_every_method(deliver, origin, method):
    deliver({}, **ROOT).request(method, "/")
    assert [(got.method, got.target) for got in origin.got] == [(method, "/index.html")]


@pytest.mark.rule("CDN-ROOT-07")
@pytest.mark.parametrize("name", ["a" * 256, "a b.html"])
def test_a_faulty_root_object_is_400(deliver, origin, name):
    site = deliver({}, DefaultRootObject=name)
    response = site.get("/", headers={"x-edgeproxy-explain": "1"})
    assert (response.status, response.x_cache) == (400, "Error from cloudfront")
    assert "\nInvalidDefaultRootObject\n" in response.text
    assert response.headers.get("x-edgeproxy-why").startswith("DefaultRootObject: ")
    assert site.get("/other").status == 200
    assert origin.targets == ["/other"]


@pytest.mark.rule("CDN-ROOT-06")
def test_without_root_object_the_origin_gets_the_root(deliver, origin):
    deliver({}).get("/")
    assert origin.targets == ["/"]


@pytest.mark.rule("CDN-ROOT-06", "CDN-S3-17")
def test_without_root_object_a_bucket_has_nothing_at_the_root(deliver, tmp_path):
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "index.html").write_text("home")
    site = deliver({}, at={"web": tmp_path / "bucket"})
    assert (site.get("/").status, site.get("/index.html").text) == (403, "home")


@pytest.mark.rule("CDN-ROOT-09", "CDN-BEH-23")
def test_the_behavior_is_chosen_before_the_root_object_is_put_in(deliver, origin):
    behaviors = {"/index.html": {"ViewerProtocolPolicy": "https-only"}}
    site = deliver({}, behaviors, **ROOT)
    assert (site.get("/").status, site.get("/index.html").status) == (200, 403)


@pytest.mark.rule("CDN-BEH-18", "CDN-BEH-19", "CDN-BEH-16")
@pytest.mark.parametrize(
    ("target", "chosen"),
    [
        ("/a/x", "a"),
        ("/a/b/..?c=1", "a"),
        ("/a/b/x", "b"),
        ("/q/../a/b//x", "b"),
        ("//a/x", "a"),
        ("/x?/a/b/", "default"),
        ("/A/x", "default"),
        ("/%61/x", "default"),
        ("/a%2Fx", "default"),
    ],
)
def test_matching_looks_at_the_normal_path_and_the_origin_gets_the_raw_one(
    deliver, origin, target, chosen
):
    names = {"/a/b/*": "b", "/a/*": "a"}
    whole = {"cache": cache_policy(query="all")}
    behaviors = {pattern: {**whole, "respond": _marking(name)} for pattern, name in names.items()}
    site = deliver({**whole, "respond": _marking("default")}, behaviors)
    assert site.get(target).headers.get("X-Behavior") == chosen
    assert origin.targets == [target]


def _marking(name):
    items = [{"Header": "X-Behavior", "Value": name, "Override": True}]
    return {
        "Type": "AWS::CloudFront::ResponseHeadersPolicy",
        "Properties": {
            "ResponseHeadersPolicyConfig": {
                "Name": name,
                "CustomHeadersConfig": {"Items": items},
            }
        },
    }


@pytest.mark.rule("CDN-BEH-20", "CDN-KEY-01")
def test_each_raw_path_is_an_object_of_its_own(deliver, origin):
    origin.answer = FRESH
    site = deliver({})
    paths = ["/a/b", "/a//b", "/a/./b", "/A/b", "/a/%62", "/a/b/", "/a%2Fb", "/a%2fb"]
    for path in paths:
        assert site.get(path).x_cache == "Miss from cloudfront", path
    assert origin.targets == paths


@pytest.mark.rule("CDN-BEH-22", "CDN-BEH-10")
def test_a_shadowed_pattern_is_legal_and_never_used(deliver, origin):
    behaviors = {"/a/*": {}, "/a/b/*": {"ViewerProtocolPolicy": "https-only"}}
    assert deliver({}, behaviors).get("/a/b/c").status == 200


def _two_sites(tmp_path: Path, **config: object) -> Path:
    both = {"Resources": {}}
    for name in ("one", "two"):
        site = definition({}, Aliases=[f"{name}.example"], **config)["Resources"]["Site"]
        both["Resources"][name.capitalize()] = site
    path = tmp_path / "template.json"
    path.write_text(json.dumps(both))
    return path


@pytest.mark.rule("CDN-BEH-01", "CDN-BEH-04", "CDN-GEN-11", "CDN-INV-19", "CDN-KEY-01")
def test_the_host_picks_the_distribution_and_each_has_a_cache_of_its_own(
    shared: Edge, origin: Origin, tmp_path: Path
):
    origin.answer = FRESH
    site = shared.serve(_two_sites(tmp_path), origins={"web": origin.url})
    for host in ("one.example", "two.example"):
        assert site.get("/", headers={"Host": host}).x_cache == "Miss from cloudfront"
    names = [each["domain_name"] for each in site.endpoints["distributions"].values()]
    for host in ("ONE.example:8080", "two.example", *names):
        assert site.get("/", headers={"Host": host}).x_cache == "Hit from cloudfront"
    unknown = site.get("/", headers={"Host": "three.example"})
    assert (unknown.status, unknown.x_cache) == (403, "Error from cloudfront")
    assert BAD_REQUEST in unknown.text
    assert len(origin.got) == 2


@pytest.mark.rule("CDN-BEH-05")
def test_a_disabled_distribution_serves_nothing_not_even_its_error_page(deliver, origin):
    page = {"ErrorCode": 403, "ResponsePagePath": "/403.html", "ResponseCode": 200}
    site = deliver({}, Enabled=False, CustomErrorResponses=[page])
    response = site.get("/", headers={"Host": "any.example"})
    assert (response.status, response.x_cache) == (403, "Error from cloudfront")
    assert BAD_REQUEST in response.text
    assert origin.got == []


CLOUDFRONT = "0123456789abcdef0123456789abcdef.cloudfront.net (CloudFront)"


@pytest.mark.rule("CDN-BEH-06", "CDN-QUO-22")
@pytest.mark.parametrize(
    ("via", "status"),
    [
        (f"1.1 {CLOUDFRONT}", 200),
        (f"1.1 squid, 1.1 {CLOUDFRONT}, 1.1 nginx (nginx)", 200),
        (f"2.0 {CLOUDFRONT}, 1.1 {CLOUDFRONT}", 403),
    ],
)
def test_a_chain_has_at_most_two_distributions(deliver, origin, via, status):
    response = deliver({}).get("/", headers={"Via": via})
    assert response.status == status
    assert len(origin.got) == (status == 200)
    if status == 403:
        assert BAD_REQUEST in response.text


@pytest.mark.rule("CDN-BEH-06", "CDN-HDR-07")
def test_a_real_chain_of_distributions_ends_at_the_third(deliver, origin, shared, tmp_path):
    sites = [deliver({}, at={"web": origin.url})]
    for _ in range(2):
        sites.append(deliver({}, at={"web": sites[-1].url}))
    assert sites[1].get("/a").status == 200
    assert origin.got[0].header("Via").count("(CloudFront)") == 2
    assert sites[2].get("/b").status == 403


@pytest.mark.rule("CDN-ORG-01")
@pytest.mark.parametrize(("asked", "at_origin"), [("/", "/v1/index.html"), ("/a/b", "/v1/a/b")])
def test_the_origin_path_stands_in_front_and_is_not_in_the_key(deliver, origin, asked, at_origin):
    origin.answer = FRESH
    site = deliver({}, {"/v1/*": {}}, origin={"OriginPath": "/v1"}, **ROOT)
    assert site.get(asked).status == 200
    assert origin.targets == [at_origin]
    assert site.exchanges(1)[0].path_pattern == "*"
    assert site.invalidate(at_origin) == 0
    assert site.invalidate(asked) == 1


def _count_by_target(got: Got) -> Answer:
    return Answer(headers={"Cache-Control": "max-age=600"}, body=got.target.encode())


@pytest.mark.rule(
    "CDN-INV-02", "CDN-INV-03", "CDN-INV-04", "CDN-INV-05", "CDN-INV-07", "CDN-INV-15"
)
@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("/a.jpg", ["/a.jpg"]),
        ("/a.jpg?v=1", ["/a.jpg?v=1"]),
        ("/a.jpg*", ["/a.jpg", "/a.jpg?v=1", "/a.jpg?v=2"]),
        ("/dir", ["/dir"]),
        ("/dir/", ["/dir/"]),
        ("/dir/*", ["/dir/", "/dir/x"]),
        ("/d*r", []),
        ("/A.jpg", []),
    ],
)
def test_what_an_invalidation_removes(deliver, origin, path, gone):
    origin.answer = _count_by_target
    site = deliver({"cache": cache_policy(query="all")})
    paths = ["/a.jpg", "/a.jpg?v=1", "/a.jpg?v=2", "/dir", "/dir/", "/dir/x"]
    for each in paths:
        site.get(each)
    assert site.invalidate(path) == len(gone)
    missing = [each for each in paths if site.get(each).x_cache == "Miss from cloudfront"]
    assert missing == gone


@pytest.mark.rule("CDN-INV-05")
def test_an_invalidation_removes_all_variants(deliver, origin):
    origin.answer = FRESH
    site = deliver(
        {
            "CachedMethods": ["GET", "HEAD", "OPTIONS"],
            **legacy(["Accept"], cookies={"Forward": "all"}),
        }
    )
    variants = [{}, {"Accept": "text/html"}, {"Cookie": "a=1"}]
    for headers in variants:
        site.get("/a", headers=headers)
    site.request("OPTIONS", "/a")
    assert site.invalidate("/a") == 4


@pytest.mark.rule("CDN-INV-15", "CDN-VAL-01")
def test_an_invalidated_object_is_gone_and_not_stale(deliver, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=60", "ETag": '"1"'})
    site = deliver({})
    site.get("/a")
    site.invalidate("/a")
    assert site.get("/a").x_cache == "Miss from cloudfront"
    assert origin.got[1].header("If-None-Match") is None


@pytest.mark.rule("CDN-INV-16", "CDN-ERR-13")
def test_cached_errors_are_removed_too(deliver, origin):
    origin.answer = Answer(404)
    site = deliver({})
    site.get("/a")
    assert site.invalidate("/*") == 1
    origin.answer = Answer(200)
    assert site.get("/a").status == 200


@pytest.mark.rule("CDN-INV-11")
@pytest.mark.parametrize("path", ["/", "/index.html"])
def test_root_and_root_object_are_invalidated_together(deliver, origin, path):
    origin.answer = FRESH
    site = deliver({}, **ROOT)
    site.get("/")
    assert site.invalidate(path) == 1
    assert site.get("/").x_cache == "Miss from cloudfront"
