"""What AWS refuses in certificates, names and sizes: each finding with its rule and place."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import Loaded, LoadOptions, load
from tests.unit.project.drafts import (
    load_resources,
    load_site,
    only_distribution,
)


def found(loaded: Loaded) -> list[tuple[str, str]]:
    """Rules and the last two steps of the places' paths."""
    return [(each.rule, ".".join(each.place.path.split(".")[-2:])) for each in loaded.findings]


# Certificates

US = "arn:aws:acm:us-east-1:123456789012:certificate/a"
ELSEWHERE = "arn:aws:acm:eu-west-1:123456789012:certificate/a"
OWN = {"AcmCertificateArn": US, "SslSupportMethod": "sni-only"}
ALIASES = ("DistributionConfig.Aliases",)


@pytest.mark.parametrize(
    ("aliases", "certificate", "expected"),
    [
        pytest.param(["a.example"], None, [("CDN-CFG-151", *ALIASES)],
                     marks=pytest.mark.rule("CDN-CFG-151", "CDN-VPP-11")),
        pytest.param(["a.example"], {"CloudFrontDefaultCertificate": True},
                     [("CDN-CFG-150", *ALIASES)],
                     marks=pytest.mark.rule("CDN-CFG-150", "CDN-CFG-032", "CDN-VPP-11")),
        pytest.param([], {"CloudFrontDefaultCertificate": True}, [],
                     marks=pytest.mark.rule("CDN-CFG-150")),
        pytest.param(["a.example"], {"MinimumProtocolVersion": "TLSv1.2_2021"},
                     [("CDN-CFG-151", *ALIASES)], marks=pytest.mark.rule("CDN-CFG-151")),
        pytest.param(["a.example"], OWN, [], marks=pytest.mark.rule("CDN-CFG-151", "CDN-CFG-152")),
        pytest.param(["a.example"], {"IamCertificateId": "a", "SslSupportMethod": "vip"}, [],
                     marks=pytest.mark.rule("CDN-CFG-151", "CDN-CFG-152")),
        pytest.param(["a.example"], {"IAMCertificateId": "a", "SSLSupportMethod": "static-ip"}, [],
                     marks=pytest.mark.rule("CDN-CFG-151", "CDN-CFG-152")),
        pytest.param([], {**OWN, "AcmCertificateArn": ELSEWHERE},
                     [("CDN-CFG-151", "ViewerCertificate.AcmCertificateArn")],
                     marks=pytest.mark.rule("CDN-CFG-151")),
        pytest.param([], {"AcmCertificateArn": US},
                     [("CDN-CFG-152", "DistributionConfig.ViewerCertificate")],
                     marks=pytest.mark.rule("CDN-CFG-152")),
    ],
)  # fmt: skip
def test_certificates(
    aliases: list[str],
    certificate: dict[str, Any] | None,
    expected: list[tuple[str, str]],
    tmp_path: Path,
) -> None:
    config = {"Aliases": aliases, "ViewerCertificate": certificate}
    assert found(load_site(tmp_path, config=config)) == expected


@pytest.mark.rule("CDN-CFG-152", "CDN-CFG-032")
def test_other_ways_to_support_tls_are_unknown(tmp_path: Path) -> None:
    certificate = {**OWN, "SslSupportMethod": "never"}
    with pytest.raises(DefinitionError, match="sni-only, vip, static-ip"):
        load_site(tmp_path, config={"ViewerCertificate": certificate})


# References and IDs


@pytest.mark.rule("CDN-CFG-020")
def test_the_api_needs_a_caller_reference_and_cloudformation_has_none(tmp_path: Path) -> None:
    template = load_site(tmp_path)
    assert found(template) == []
    document = json.loads((tmp_path / "template.json").read_text())
    config = document["Resources"]["Site"]["Properties"]["DistributionConfig"]
    file = tmp_path / "distribution.json"
    file.write_text(json.dumps(config))
    assert found(load(file, LoadOptions())) == [("CDN-CFG-020", "")]
    config["CallerReference"] = "one"
    file.write_text(json.dumps(config))
    given = load(file, LoadOptions())
    assert found(given) == []
    [line] = [one for one in given.project.report.lines if one.place.path == "CallerReference"]
    assert (line.treatment, line.why) == ("ignored", "it has no effect on traffic")
    assert found(load_site(tmp_path, config={"CallerReference": "one"})) == [
        ("CDN-CFG-020", "DistributionConfig.CallerReference")
    ]


ORIGIN = {"DomainName": "a.example", "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"}}
GROUP = {
    "Id": "both",
    "FailoverCriteria": {"StatusCodes": {"Items": [500]}},
    "Members": {"Items": [{"OriginId": "web"}, {"OriginId": "spare"}]},
}


@pytest.mark.rule("CDN-CFG-060")
def test_origin_ids_are_unique_and_what_behaviors_and_groups_name(tmp_path: Path) -> None:
    origins = [{**ORIGIN, "Id": "web"}, {**ORIGIN, "Id": "spare"}]
    sound = load_site(
        tmp_path,
        {"TargetOriginId": "both"},
        {"Origins": origins, "OriginGroups": {"Items": [GROUP]}},
    )
    distribution = only_distribution(sound)
    assert distribution.default_behavior.target_origin_id == "both"
    assert distribution.origin_groups["both"].secondary == "spare"
    twice = load_site(tmp_path, config={"Origins": [origins[0], origins[0]]})
    assert found(twice) == [("CDN-CFG-391", "DistributionConfig.Origins")]
    with pytest.raises(DefinitionError, match="no origin or origin group has the ID 'none'"):
        load_site(tmp_path, {"TargetOriginId": "none"})
    with pytest.raises(DefinitionError, match="spare"):
        load_site(tmp_path, config={"OriginGroups": {"Items": [GROUP]}})


# Names and sizes


@pytest.mark.rule("CDN-ROOT-05")
@pytest.mark.parametrize(
    ("name", "is_sound"),
    [
        ("index.html", True),
        ("""Az09_-.*$/~"'&""", True),
        ("a" * 255, True),
        ("a" * 256, False),
        ("a b.html", False),
        ("ä.html", False),
        ("a?b", False),
    ],
)
def test_default_root_object(name: str, is_sound: bool, tmp_path: Path) -> None:
    loaded = load_site(tmp_path, config={"DefaultRootObject": name})
    expected = [] if is_sound else [("CDN-ROOT-05", "DistributionConfig.DefaultRootObject")]
    assert found(loaded) == expected


def cache_policy(ttls: tuple[int, int, int] = (1, 2, 3), **selections: list[str]) -> dict[str, Any]:
    minimum, default, maximum = ttls
    config = {
        "Name": "p",
        "MinTTL": minimum,
        "DefaultTTL": default,
        "MaxTTL": maximum,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": True,
            **selected(**selections),
        },
    }
    return {
        "Type": "AWS::CloudFront::CachePolicy",
        "Properties": {"CachePolicyConfig": config},
    }


def request_policy(**selections: list[str]) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudFront::OriginRequestPolicy",
        "Properties": {"OriginRequestPolicyConfig": {"Name": "p", **selected(**selections)}},
    }


def selected(**names: list[str]) -> dict[str, Any]:
    """The three selections of a policy, each a list of names or ``none``."""
    return {
        f"{kind}sConfig": {f"{kind}Behavior": "whitelist", f"{kind}s": names[kind]}
        if kind in names
        else {f"{kind}Behavior": "none"}
        for kind in ("Header", "Cookie", "QueryString")
    }


CENTURY = 3_153_600_000


@pytest.mark.rule("CDN-TTL-16")
@pytest.mark.parametrize(
    ("ttls", "expected"),
    [
        ((0, 0, CENTURY), []),
        ((CENTURY, CENTURY, CENTURY), []),
        ((0, 5, CENTURY + 1), [("CDN-TTL-16", "MaxTTL")]),
        ((-1, 5, 6), [("CDN-TTL-16", "MinTTL")]),
        ((0, CENTURY + 1, CENTURY + 1), [("CDN-TTL-16", "DefaultTTL"), ("CDN-TTL-16", "MaxTTL")]),
        ((7, 6, 8), [("CDN-CFG-393", "MinTTL")]),
        ((1, 6, 5), [("CDN-CFG-393", "MinTTL")]),
    ],
)
@pytest.mark.parametrize("kind", ["policy", "legacy"])
def test_ttls(
    kind: str, ttls: tuple[int, int, int], expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    if kind == "policy":
        loaded = load_resources(tmp_path, {"P": cache_policy(ttls)})
    else:
        names = dict(zip(("MinTTL", "DefaultTTL", "MaxTTL"), ttls, strict=True))
        forwarded = {"CachePolicyId": None, "ForwardedValues": {"QueryString": False}}
        loaded = load_site(tmp_path, {**forwarded, **names})
    assert [(rule, place.split(".")[-1]) for rule, place in found(loaded)] == expected


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(cache_policy, marks=pytest.mark.rule("CDN-KEY-12", "CDN-QUO-07")),
        pytest.param(request_policy, marks=pytest.mark.rule("CDN-ORP-10", "CDN-QUO-07")),
    ],
)
def test_sizes_of_policies(make: Any, tmp_path: Path) -> None:
    def findings(**selections: list[str]) -> list[str]:
        return [each for _, each in found(load_resources(tmp_path, {"P": make(**selections)}))]

    for kind in ("Header", "Cookie", "QueryString"):
        names = [f"n{number}" for number in range(11)]
        assert findings(**{kind: names[:10]}) == []
        assert findings(**{kind: names}) == [f"{kind}sConfig.{kind}s"]
    thirds = {"Header": ["h" * 400], "Cookie": ["c" * 400], "QueryString": ["q" * 224]}
    assert findings(**thirds) == []
    [together] = findings(**{**thirds, "QueryString": ["q" * 225]})
    assert together.endswith("PolicyConfig")


@pytest.mark.rule("CDN-QUO-08")
@pytest.mark.parametrize(
    ("policy", "what"),
    [
        (cache_policy(), "cache policies"),
        (request_policy(), "origin request policies"),
        (
            {
                "Type": "AWS::CloudFront::ResponseHeadersPolicy",
                "Properties": {"ResponseHeadersPolicyConfig": {"Name": "p"}},
            },
            "response headers policies",
        ),
    ],
)
def test_policies_of_an_account(policy: dict[str, Any], what: str, tmp_path: Path) -> None:
    (part,) = policy["Properties"]
    policies = {
        f"P{number}": {
            **policy,
            "Properties": {part: {**policy["Properties"][part], "Name": f"p{number}"}},
        }
        for number in range(21)
    }
    [finding] = load_resources(tmp_path, policies).findings
    assert finding.rule == "CDN-QUO-08"
    assert finding.message == f"21 {what}; the quota is 20."
    del policies["P20"]
    assert load_resources(tmp_path, policies).findings == ()


@pytest.mark.parametrize(
    ("values", "messages"),
    [
        pytest.param({"Headers": [f"X-{n}" for n in range(10)]}, [],
                     marks=pytest.mark.rule("CDN-QUO-21")),
        pytest.param({"Headers": [f"X-{n}" for n in range(11)]}, ["Too many headers: 11"],
                     marks=pytest.mark.rule("CDN-QUO-21")),
        pytest.param({"Headers": [f"X-{n}" for n in range(26)]},
                     ["Too many headers: 26", "Too many forwarded headers: 26"],
                     marks=pytest.mark.rule("CDN-QUO-21")),
        pytest.param({"Cookies": {"Forward": "whitelist",
                                  "WhitelistedNames": [f"c{n}" for n in range(11)]}},
                     ["Too many cookies: 11"], marks=pytest.mark.rule("CDN-QUO-21")),
        pytest.param({"QueryString": True, "QueryStringCacheKeys": [f"q{n}" for n in range(11)]},
                     ["Too many query strings: 11"], marks=pytest.mark.rule("CDN-QUO-21")),
        pytest.param({"Cookies": {"Forward": "whitelist", "WhitelistedNames": ["c" * 512]}},
                     ["Too long: the names of the cookies"], marks=pytest.mark.rule("CDN-KEY-36")),
        pytest.param({"Cookies": {"Forward": "whitelist", "WhitelistedNames": ["c" * 511]}},
                     [], marks=pytest.mark.rule("CDN-KEY-36")),
        pytest.param({"QueryString": True, "QueryStringCacheKeys": ["q" * 128]}, [],
                     marks=pytest.mark.rule("CDN-KEY-36")),
        pytest.param({"QueryString": True, "QueryStringCacheKeys": ["q" * 129]},
                     ["Too long: the longest name"], marks=pytest.mark.rule("CDN-KEY-36")),
        pytest.param({"QueryString": True, "QueryStringCacheKeys": [c * 128 for c in "abcde"]},
                     ["Too long: the names of the query strings"],
                     marks=pytest.mark.rule("CDN-KEY-36")),
    ],
)  # fmt: skip
def test_legacy_settings(values: dict[str, Any], messages: list[str], tmp_path: Path) -> None:
    forwarded = {"QueryString": False, **values}
    loaded = load_site(tmp_path, {"CachePolicyId": None, "ForwardedValues": forwarded})
    assert {each.rule for each in loaded.findings} <= {"CDN-KEY-36"}
    texts = [each.message for each in loaded.findings]
    assert len(texts) == len(messages)
    assert all(text.startswith(start) for text, start in zip(texts, messages, strict=True))
