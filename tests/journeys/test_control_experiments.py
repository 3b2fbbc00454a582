"""Experiments as the control listener's API shows them while people browse."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.control import call
from tests.support.delivery import ALL_VIEWER, CACHING_DISABLED
from tests.support.experiments import SAMPLES, come, variants
from tests.support.origin import Answer, Origin, running_origin
from tests.support.templates import distribution_template

NAME = "cloudfront_function"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in ("broken.yaml", "template.yaml", "experiments.yaml"):
        shutil.copy(SAMPLES / NAME / file, tmp_path)
    return tmp_path


@pytest.fixture
def sites(edge: Edge, origin: Origin, folder: Path) -> dict[str, Site]:
    """The sample and its broken twin."""
    origin.answer = variants
    return {
        name: edge.serve(folder / f"{name}.yaml", origins={"Web": origin.url})
        for name in ("template", "broken")
    }


def of(site: Site, name: str = NAME) -> Any:
    status, document = call(site, "GET", f"/api/experiments/{name}")
    assert status == 200, document
    return document


def shares(document: Any) -> list[tuple[str, int, float | None]]:
    return [(each["name"], each["visitors"], each["share"]) for each in document["variants"]]


def as_viewer(site: Site, name: str, url: str = "") -> dict[str, str]:
    port = urlsplit(url or site.url).port
    return {"Host": f"{name}.viewer.localhost:{port}"}


@pytest.mark.parametrize(("name", "leaks"), [("template", 0), ("broken", 2)])
def test_shares_paths_and_leaks(sites: dict[str, Site], name: str, leaks: int) -> None:
    site = sites[name]
    come(site, "aaab")  # before anybody looks
    document = of(site)
    assert shares(document) == [("a", 3, 0.75), ("b", 1, 0.25)]
    assert document["variants"][0]["share_low"] < 0.75 < document["variants"][0]["share_high"]
    come(site, "aaab")
    document = of(site)
    assert (document["visitors"], document["assigned"], document["requests"]) == (4, 4, 8)
    assert [each["hits"] for each in document["variants"]] == [5, 2 if leaks else 1]
    newest = document["newest_visitors"][0]
    assert (newest["visitor"], newest["variant"]) == ("192.0.1.3", "b")
    assert [each["path"] for each in newest["stations"]] == ["/", "/"]
    assert [each["made_for"] for each in newest["stations"]] == ["a" if leaks else None] * 2
    assert document["leaks"] == len(document["newest_leaks"]) == leaks
    assert document["gaps"] == 0


def test_a_leak_is_told_with_its_key_and_what_mends_it(sites: dict[str, Site]) -> None:
    site = sites["broken"]
    come(site, "ab")
    (leak,) = of(site)["newest_leaks"]
    assert (leak["made_for"], leak["variant"], leak["why"]) == ("a", "b", "from the cache")
    assert {"part": "path", "value": "/"} in leak["key"]
    assert "add it to the cache policy per-variant" in leak["remedy"]
    assert leak["exchange"] == site.exchanges(2)[0].id
    status, listed = call(site, "GET", "/api/experiments")
    assert (status, listed["problem"]) == (200, None)
    (summary,) = listed["experiments"]
    assert (summary["leaks"], "newest_leaks" in summary) == (1, False)


def test_a_declaration_is_read_anew_and_a_broken_one_is_told(
    sites: dict[str, Site], folder: Path
) -> None:
    site, file = sites["template"], folder / "experiments.yaml"
    come(site, "ab")
    assert of(site)["visitors"] == 2
    file.write_text("experiments: {x: {assignment: {cooky: ab}, variants: [a, b]}}")
    listed = call(site, "GET", "/api/experiments")[1]
    assert "experiments.yaml:1" in listed["problem"]
    assert [each["name"] for each in listed["experiments"]] == [NAME]
    file.write_text("experiments: {x: {assignment: {body: {a: V, b: W}}, variants: [a, b]}}")
    assert call(site, "GET", f"/api/experiments/{NAME}")[0] == 404
    document = of(site, "x")
    assert shares(document) == [("a", 2, 1.0), ("b", 0, 0.0)]
    why_nots = [each["viewer"]["why_not"] for each in document["variants"]]
    assert why_nots[0] is None
    assert "the body comes with the answer" in why_nots[1]
    status, refused = call(site, "POST", "/api/experiments/x/compare", {"url": "/"})
    assert (status, why_nots[1]) == (400, refused["error"]["message"])
    file.write_text("experiments: {x: {assignment: {cookie: ab}, variants: [a, b], door: Away}}")
    assert "no door 'Away'" in of(site, "x")["problem"]
    file.unlink()
    listed = call(site, "GET", "/api/experiments")[1]
    assert (listed["problem"], listed["experiments"]) == (None, [])


def test_a_declaration_may_lie_elsewhere_and_must_be_there_then(edge: Edge, tmp_path: Path) -> None:
    file = tmp_path / "ab.toml"
    site = edge.serve("http://127.0.0.1:9", experiments=file)
    listed = call(site, "GET", "/api/experiments")[1]
    assert "ab.toml: cannot be read" in listed["problem"]
    file.write_text('[experiments.x]\nassignment = {cookie = "ab"}\nvariants = ["a", "b"]\n')
    assert of(site, "x")["assignment"] == "cookie ab"


def test_an_edge_that_keeps_no_requests_says_so(edge: Edge, tmp_path: Path) -> None:
    file = SAMPLES / NAME / "experiments.yaml"
    site = edge.serve("http://127.0.0.1:9", experiments=file, history=0)
    assert "--history above 0" in of(site)["problem"]


@pytest.mark.parametrize(("forward", "leaks"), [("none", 8), ("whitelist", 0), ("", 0)])
def test_what_is_answered_again_in_the_connection_counts_like_all_else(
    edge: Edge, origin: Origin, tmp_path: Path, forward: str, leaks: int
) -> None:
    """Hits, or misses where nothing is cached, of behaviors without functions."""
    origin.answer = variants
    shutil.copy(SAMPLES / NAME / "experiments.yaml", tmp_path)
    names = {"WhitelistedNames": ["ab"]} if forward == "whitelist" else {}
    behavior: dict[str, Any] = {
        "CachePolicyId": None,
        "OriginRequestPolicyId": None,
        "MinTTL": 0,
        "DefaultTTL": 60,
        "MaxTTL": 3600,
        "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": forward, **names}},
    }
    if not forward:
        behavior = {"CachePolicyId": CACHING_DISABLED, "OriginRequestPolicyId": ALL_VIEWER}
    template = distribution_template(tmp_path, behavior=behavior)
    site = edge.serve(template, origins={"web": origin.url})
    side = {"experiment": NAME, "variant": "b"}
    call(site, "POST", "/api/viewers", {"name": "b", "variant": side})
    for _ in range(4):
        come(site, "ab")
        come(site, "b", headers=as_viewer(site, "b"))
    document = of(site)
    assert (document["visitors"], document["leaks"]) == (2, leaks)
    assert [each["requests"] for each in document["variants"]] == [4, 8]


def test_a_viewer_is_put_on_a_side_and_counts_for_no_share(
    sites: dict[str, Site], origin: Origin
) -> None:
    site = sites["template"]
    side = {"experiment": NAME, "variant": "b"}
    status, made = call(site, "POST", "/api/viewers", {"name": "b", "variant": side})
    assert (status, made["variant"]) == (201, side)
    headers = {**as_viewer(site, "b"), "Cookie": "ab=a; x=1"}
    assert "Variant b" in site.get("/", headers=headers).text
    assert origin.got[-1].header("Cookie") == "ab=b"
    come(site, "aab")
    document = of(site)
    assert shares(document) == [("a", 2, 2 / 3), ("b", 1, 1 / 3)]
    forced = [each for each in document["newest_visitors"] if each["forced"]]
    assert [(each["visitor"], each["variant"]) for each in forced] == [("b", "b")]
    # The object that it had made is that of all on its side.
    assert document["variants"][1]["hits"] == 1
    call(site, "DELETE", "/api/viewers/b")
    assert "Variant a" in site.get("/", headers=headers).text
    for wrong in ({"experiment": NAME}, {"experiment": NAME, "variant": "c"}, "b",
                  {"experiment": "none", "variant": "b"}):  # fmt: skip
        document = {"name": "b", "variant": wrong}
        assert call(site, "POST", "/api/viewers", document)[0] == 400


def test_a_viewer_gets_the_version_that_an_alias_seldom_draws(edge: Edge) -> None:
    site = edge.serve(SAMPLES / "weighted_alias" / "template.yaml")
    url = site.endpoints["function_urls"]["ShopUrl"]["url"]
    for name, version in (("new", "2"), ("old", "1")):
        side = {"experiment": "weighted_alias", "variant": name}
        assert call(site, "POST", "/api/viewers", {"name": name, "variant": side})[0] == 201
        for _ in range(3):
            answer = site.get("/", headers=as_viewer(site, name, url), url=url)
            assert answer.text == f"version {version}"
    document = of(site, "weighted_alias")
    assert document["visitors"] == 0
    assert [each["variant"] for each in document["newest_visitors"]] == ["old", "new"]


def test_a_viewer_takes_the_cookies_of_a_visitor_where_nothing_else_puts_there(edge: Edge) -> None:
    """A staging distribution with a weight: CloudFront's own cookie keeps visitors there."""
    name = "staging_by_weight"
    with running_origin() as web, running_origin() as other:
        web.answer, other.answer = Answer(body=b"Variant a"), Answer(body=b"Variant b")
        site = edge.serve(
            SAMPLES / name / "template.yaml", origins={"Web": web.url, "WebB": other.url}, seed=3
        )
        seen: list[str] = []
        while len(set(seen)) < 2:
            seen.append(site.get("/").text)
        site.exchanges(len(seen))
        assert [each["viewer"]["why_not"] for each in of(site, name)["variants"]] == [None, None]
        for variant, page in (("primary", "Variant a"), ("staging", "Variant b")):
            side = {"experiment": name, "variant": variant}
            assert call(site, "POST", "/api/viewers", {"name": variant, "variant": side})[0] == 201
            answers = {site.get("/", headers=as_viewer(site, variant)).text for _ in range(5)}
            assert answers == {page}
        compared = call(site, "POST", f"/api/experiments/{name}/compare", {"url": "/"})[1]
        assert [each["shows"] for each in compared["answers"]] == ["primary", "staging"]


def test_a_viewer_sends_the_header_of_its_side(edge: Edge, origin: Origin, tmp_path: Path) -> None:
    origin.answer = variants
    file = tmp_path / "experiments.yaml"
    mark = '{sent_header: {name: X-Beta, values: {old: "", new: "on"}}}'
    file.write_text(f"experiments: {{x: {{assignment: {mark}, variants: [old, new]}}}}")
    shutil.copy(SAMPLES / NAME / "broken.yaml", tmp_path)
    site = edge.serve(tmp_path / "broken.yaml", origins={"Web": origin.url})
    for name, sent, seen in (("new", None, "on"), ("old", "on", None)):
        side = {"experiment": "x", "variant": name}
        assert call(site, "POST", "/api/viewers", {"name": name, "variant": side})[0] == 201
        headers = as_viewer(site, name) | ({"X-Beta": sent} if sent else {})
        site.get(f"/{name}", headers=headers)
        assert origin.got[-1].header("X-Beta") == seen


def test_the_sides_of_a_url_are_compared(
    sites: dict[str, Site], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where no browser is
    compare = f"/api/experiments/{NAME}/compare"
    site = sites["template"]
    status, document = call(site, "POST", compare, {"url": "/shop?page=2"})
    assert status == 200
    assert [(each["variant"], each["hit"]) for each in document["answers"]] == [
        ("a", False),
        ("b", False),
    ]
    assert "X-Cache" not in [each["name"] for each in document["headers"] if each["differs"]]
    (body,) = document["bodies"]
    assert ["-", "<h1>Variant a</h1>"] in body["lines"]
    assert ["+", "<h1>Variant b</h1>"] in body["lines"]
    ids = [each["exchange"] for each in document["answers"]]
    assert [each.id for each in site.exchanges(2)] == ids[::-1]
    assert call(site, "GET", "/api/viewers")[1]["viewers"] == []
    assert of(site)["visitors"] == 0
    # Of the broken twin both get the same, out of the cache.
    document = call(sites["broken"], "POST", compare, {"url": "/", "screenshots": True})[1]
    assert [(each["hit"], each["shows"]) for each in document["answers"]] == [
        (False, "a"),
        (True, "a"),
    ]
    assert document["bodies"][0]["same"]
    assert "install Chromium or Chrome" in document["screenshots_problem"]
    assert not document["can_take_screenshots"]
    assert call(site, "GET", "/api/screenshots/1")[0] == 404


def test_a_viewer_who_is_there_stays_and_another_of_that_name_is_left_alone(
    sites: dict[str, Site],
) -> None:
    site, compare = sites["template"], f"/api/experiments/{NAME}/compare"
    (listed,) = call(site, "GET", "/api/experiments")[1]["experiments"]
    name = listed["variants"][1]["viewer"]["name"]
    side = {"experiment": NAME, "variant": "b"}
    call(site, "POST", "/api/viewers", {"name": name, "country": "DE", "variant": side})
    assert of(site)["variants"][1]["viewer"]["is_there"]
    assert call(site, "POST", compare, {"url": "/"})[0] == 200
    assert site.exchanges(2)[0].request.viewer.country == "DE"
    call(site, "POST", "/api/viewers", {"name": name})
    status, refused = call(site, "POST", compare, {"url": "/"})
    assert (status, f"another viewer called {name}" in refused["error"]["message"]) == (400, True)
    assert [each["name"] for each in call(site, "GET", "/api/viewers")[1]["viewers"]] == [name]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"url": "shop"},
        {"url": "http://elsewhere/"},
        {"url": "/ x"},
        {"url": "/", "screenshots": 1},
    ],
)
def test_what_cannot_be_compared(sites: dict[str, Site], document: object) -> None:
    status, answer = call(sites["template"], "POST", f"/api/experiments/{NAME}/compare", document)
    assert (status, answer["error"]["code"]) == (400, "InvalidArgument")
