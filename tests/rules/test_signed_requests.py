"""Signed URLs and signed cookies, signed by AWS's own client, in front of a real edge."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS
from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.delivery import (
    cache_policy,
    definition,
    error_page,
    legacy,
    origin_request_policy,
)
from tests.support.origin import Answer, Got, Origin
from tests.support.signing import Signer, cloudfront_base64, custom_policy, ecdsa, rsa_2048
from tests.support.viewer_functions import function

FAR = 2_000_000_000
RSA = Signer("Rsa", rsa_2048())
EC = Signer("Ec", ecdsa())
STRANGER = Signer("Rsa", rsa_2048())
LOOSE = Signer("KLOOSE", rsa_2048())
PRIVATE = {"TrustedKeyGroups": [{"Ref": "Keys"}]}
EVERYTHING = {
    "cache": cache_policy(query="all", cookies="all"),
    "forward": origin_request_policy(query="all", cookies="all"),
}
FRESH = Answer(headers={"Cache-Control": "max-age=600"}, body=b"secret")

rule = pytest.mark.rule


def _cf(kind: str, **config: Any) -> dict[str, Any]:
    config = {"Name": "x", "CallerReference": "1", **config}
    return {"Type": f"AWS::CloudFront::{kind}", "Properties": {f"{kind}Config": config}}


RESOURCES = {
    "Rsa": _cf("PublicKey", EncodedKey=RSA.pem),
    "Ec": _cf("PublicKey", EncodedKey=EC.pem),
    "Keys": _cf("KeyGroup", Items=[{"Ref": "Rsa"}, {"Ref": "Ec"}]),
    "Other": _cf("PublicKey", EncodedKey=STRANGER.pem),
    "Others": _cf("KeyGroup", Items=[{"Ref": "Other"}]),
    "Function": {
        "Type": "AWS::CloudFront::Function",
        "Properties": {
            "Name": "f",
            "AutoPublish": True,
            "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
            "FunctionCode": function(result="{statusCode: 204}"),
        },
    },
}


@pytest.fixture
def private(shared: Edge, origin: Origin, tmp_path: Path) -> Any:
    """Serves a distribution whose default behavior, unless told otherwise, trusts ``Keys``."""
    origin.answer = FRESH

    def start(
        behavior: dict[str, Any] | None = None,
        behaviors: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        **config: Any,
    ) -> Site:
        template = definition(PRIVATE if behavior is None else behavior, behaviors, **config)
        template["Resources"] |= RESOURCES
        path = tmp_path / "template.json"
        path.write_text(json.dumps(template))
        return shared.serve(path, origins={"web": origin.url}, **(options or {}))

    yield start
    shared.clock.reset()


Private = Callable[..., Site]


def get(site: Site, signed: str, **headers: str) -> SiteResponse:
    """``GET`` of a URL on ``site``."""
    return site.get(signed.removeprefix(site.url), headers=headers)


def denied(response: SiteResponse, code: str = "AccessDenied") -> bool:
    return (response.status, f"<Code>{code}</Code>" in response.text) == (403, True)


# Which requests are served


@rule("CDN-SGN-01", "CDN-SGN-02")
def test_private_behaviors_serve_signed_requests_only(private: Private, origin: Origin) -> None:
    site = private(EVERYTHING, {"/private/*": PRIVATE})
    assert denied(site.get("/private/a"), "MissingKey")
    assert get(site, RSA.url(f"{site.url}/private/a", FAR)).text == "secret"
    cookies = RSA.cookies(f"{site.url}/private/b", FAR)
    assert site.get("/private/b", headers=cookies).text == "secret"
    assert origin.targets == ["/private/a", "/private/b"]
    # Elsewhere nobody looks, and the parameters are the site's own.
    forged = "/open?Expires=x&Signature=*&Key-Pair-Id=?"
    assert site.get(forged, headers={"Cookie": "CloudFront-Policy=*"}).status == 200
    assert origin.targets[-1] == forged
    assert origin.got[-1].header("Cookie") == "CloudFront-Policy=*"


@rule("CDN-SGN-01", "CDN-SGN-24", "CDN-CFG-123", "CDN-CFG-217")
@pytest.mark.parametrize("trusting", ["TrustedKeyGroups", "TrustedSigners"])
def test_keys_that_options_name(private: Private, tmp_path: Path, trusting: str) -> None:
    pem = tmp_path / "key.pem"
    pem.write_text(LOOSE.pem)
    options = {"public_key": (f"KLOOSE={pem}",)}
    site = private({trusting: ["self"]}, options=options)
    assert get(site, LOOSE.url(f"{site.url}/a", FAR)).status == 200
    assert denied(get(site, RSA.url(f"{site.url}/a", FAR)), "InvalidKey")


@rule("CDN-SGN-24", "CDN-SGN-41", "CDN-CFG-216")
def test_the_key_must_be_in_a_group_of_the_behavior(private: Private) -> None:
    groups = [{"Ref": "Keys"}, {"Ref": "Others"}]
    site = private(behaviors={"/both/*": {"TrustedKeyGroups": groups}})
    other = replace(STRANGER, key_id="Other")
    assert get(site, other.url(f"{site.url}/both/a", FAR)).status == 200
    assert get(site, RSA.url(f"{site.url}/both/a", FAR)).status == 200
    assert denied(get(site, other.url(f"{site.url}/a", FAR)), "InvalidKey")


@rule("CDN-CFG-217", "CDN-CFG-007")
def test_a_key_answers_to_the_id_that_ref_gives(private: Private) -> None:
    site = private()
    [distribution] = site.running.program.project.distributions.values()
    ids = [key.id for keys in distribution.key_groups.values() for key in keys]
    assert len(ids) == 4
    assert {"Rsa", "Ec"} < set(ids)
    for key_id in ids:
        key = RSA.key if RSA.pem == _pem(site, key_id) else EC.key
        assert get(site, Signer(key_id, key).url(f"{site.url}/a", FAR)).status == 200


def _pem(site: Site, key_id: str) -> str:
    [distribution] = site.running.program.project.distributions.values()
    keys = [key for keys in distribution.key_groups.values() for key in keys]
    return next(key.encoded_key for key in keys if key.id == key_id)


# Where the signature is, and what it is over


@rule("CDN-SGN-04", "CDN-SGN-05", "CDN-SGN-09", "CDN-SGN-10")
@pytest.mark.parametrize("own", ["", "?", "?size=large", "?a=1&&b=%2F&c", "?x=~*'"])
def test_canned_url(private: Private, origin: Origin, own: str) -> None:
    site = private(PRIVATE | EVERYTHING)
    assert get(site, RSA.url(f"{site.url}/a%20b//c{own}", FAR)).status == 200
    assert denied(get(site, STRANGER.url(f"{site.url}/a%20b//c{own}", FAR)))
    assert origin.targets == [f"/a%20b//c{own.replace('&&', '&').removesuffix('?')}"]


@rule("CDN-SGN-04", "CDN-SGN-12", "CDN-SGN-13")
@pytest.mark.parametrize("spaces", [None, 2])
def test_custom_url(private: Private, spaces: int | None) -> None:
    site = private()
    policy = json.dumps(json.loads(custom_policy(f"{site.url}/a*", FAR)), indent=spaces)
    for target in ("/a", "/abc?size=large"):
        assert get(site, RSA.url(site.url + target, policy=policy)).status == 200
    other = json.dumps(json.loads(policy), indent=4)
    forged = RSA.url(f"{site.url}/a", policy=policy).replace(
        cloudfront_base64(policy.encode()), cloudfront_base64(other.encode())
    )
    assert denied(get(site, forged))


@rule("CDN-SGN-13")
@pytest.mark.parametrize(("resource", "status"), [(None, 200), ("http://other.example/*", 403)])
def test_the_resource_may_be_left_out(private: Private, resource: str | None, status: int) -> None:
    site = private()
    signed = RSA.url(f"{site.url}/any?thing", policy=custom_policy(resource))
    assert get(site, signed, Host="www.example.com").status == status


@rule("CDN-SGN-04")
def test_names_are_case_sensitive(private: Private) -> None:
    site = private()
    signed = RSA.url(f"{site.url}/a", FAR)
    assert denied(get(site, signed.replace("Key-Pair-Id", "Key-Pair-ID")), "MissingKey")
    assert denied(get(site, signed.replace("Signature", "signature")))


@rule("CDN-SGN-06", "CDN-SGN-11")
@pytest.mark.parametrize("signer", [RSA, replace(EC, algorithm="SHA256")])
def test_canned_cookies_open_one_url(private: Private, signer: Signer) -> None:
    site = private()
    cookies = signer.cookies(f"{site.url}/a?size=large", FAR)
    assert site.get("/a?size=large", headers=cookies).status == 200
    for other in ("/a", "/a?size=small", "/b?size=large"):
        assert denied(site.get(other, headers=cookies))


@rule("CDN-SGN-06", "CDN-SGN-12")
@pytest.mark.parametrize("signer", [RSA, replace(RSA, algorithm="SHA256")])
def test_custom_cookies_open_what_the_policy_says(private: Private, signer: Signer) -> None:
    site = private()
    cookies = signer.cookies(policy=custom_policy(f"{site.url}/in/*", FAR))
    lines = [("Cookie", pair) for pair in cookies["Cookie"].split("; ")]
    for headers in (cookies, [("Cookie", "session=1"), *lines]):
        assert site.get("/in/a?x=1", headers=headers).status == 200
        assert denied(site.get("/out", headers=headers))


@rule("CDN-SGN-03")
@pytest.mark.parametrize(
    "name", ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"]
)
def test_a_parameter_of_a_signature_hides_the_cookies(private: Private, name: str) -> None:
    site = private()
    cookies = RSA.cookies(policy=custom_policy("*", FAR))
    assert site.get("/a?Other=1", headers=cookies).status == 200
    code = "InvalidKey" if name == "Key-Pair-Id" else "MissingKey"
    assert denied(site.get(f"/a?{name}=1", headers=cookies), code)
    signed = RSA.url(f"{site.url}/a", FAR)
    assert get(site, signed, Cookie="CloudFront-Key-Pair-Id=Nobody").status == 200


@rule("CDN-SGN-07", "CDN-SGN-42", "CDN-SGN-43")
def test_base64_is_written_with_other_characters(private: Private) -> None:
    site = private()
    policy = custom_policy("*", FAR) + " " * 2  # The padding makes the difference show.
    signed = RSA.url(f"{site.url}/a", policy=policy)
    assert get(site, signed).status == 200
    plain = base64.b64encode(policy.encode()).decode()
    assert plain != cloudfront_base64(policy.encode())
    unreplaced = signed.replace(cloudfront_base64(policy.encode()), plain)
    assert denied(get(site, unreplaced), "MalformedPolicy")
    head, name, tail = signed.partition("&Signature=")
    signature, ampersand, key = tail.partition("&")
    plain = signature.translate(str.maketrans("-_~", "+=/"))
    unreplaced = f"{head}{name}{plain}{ampersand}{key}"
    assert denied(get(site, unreplaced), "MalformedSignature")


@rule("CDN-SGN-08")
@pytest.mark.parametrize("signer", [RSA, EC])
@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
def test_keys_and_hashes(private: Private, signer: Signer, algorithm: str) -> None:
    site = private()
    signed = replace(signer, algorithm=algorithm).url(f"{site.url}/a", FAR)
    assert get(site, signed).status == 200
    # The default is SHA-1, and it may be said.
    plain = signed.replace("&Hash-Algorithm=SHA256", "")
    said = get(site, f"{plain}&Hash-Algorithm=SHA1")
    for response in (get(site, plain), said):
        assert response.status == (200 if algorithm == "SHA1" else 403)
    for other in ("SHA512", "sha1", ""):
        assert denied(get(site, f"{plain}&Hash-Algorithm={other}"))


# Conditions


@rule("CDN-SGN-15", "CDN-SGN-44")
def test_from_one_time_to_another(private: Private, shared: Edge) -> None:
    site, now = private(), int(time.time())
    policy = custom_policy("*", now + 300, DateGreaterThan={"AWS:EpochTime": now + 100})
    requests = [RSA.url(f"{site.url}/a", policy=policy), RSA.url(f"{site.url}/a", now + 300)]
    for passed, expected in ((0, [403, 200]), (150, [200, 200]), (200, [403, 403])):
        shared.clock.advance(seconds=passed)
        assert [get(site, signed).status for signed in requests] == expected


@rule("CDN-SGN-14", "CDN-SGN-43")
@pytest.mark.parametrize(
    ("expires", "code"),
    [("2147483647", ""), ("2147483648", "MalformedPolicy"), ("1767290400000", "MalformedPolicy"),
     ("0", "AccessDenied"), ("-1", "MalformedPolicy"), ("1e9", "MalformedPolicy"),
     ("", "MalformedPolicy"), ("%31", "MalformedPolicy")],
)  # fmt: skip
def test_expires_is_a_number_of_seconds(private: Private, expires: str, code: str) -> None:
    site = private()
    canned = RSA.url(f"{site.url}/a", 2_147_483_647)
    response = get(site, canned.replace("Expires=2147483647", f"Expires={expires}"))
    assert (response.status == 200) if not code else denied(response, code)
    for name in ("DateLessThan", "DateGreaterThan"):
        times = {"DateLessThan": "2147483647", "DateGreaterThan": "0", name: expires}
        members = (f'"{key}":{{"AWS:EpochTime":{value}}}' for key, value in times.items())
        policy = f'{{"Statement":[{{"Condition":{{{",".join(members)}}}}}]}}'
        answer = get(site, RSA.url(f"{site.url}/a", policy=policy))
        if code == "MalformedPolicy":
            assert denied(answer, code)


@rule("CDN-SGN-16")
@pytest.mark.parametrize(
    ("source", "viewer", "status"),
    [
        ("192.0.2.10", "192.0.2.10", 200),
        ("192.0.2.10/32", "192.0.2.11", 403),
        ("192.0.2.0/24", "192.0.2.200", 200),
        ("192.0.2.0/24", "192.0.3.1", 403),
        ("0.0.0.0/0", "203.0.113.9", 200),
        ("0.0.0.0/0", "2001:db8::1", 403),
        ("2001:db8::/32", "2001:db8::1", 403),
        ("::/0", "192.0.2.10", 403),
    ],
)
def test_the_viewers_address(private: Private, source: str, viewer: str, status: int) -> None:
    site = private()
    policy = custom_policy("*", FAR, IpAddress={"AWS:SourceIp": source})
    signed = RSA.url(f"{site.url}/a", policy=policy)
    response = get(site, signed, **{"x-edgeproxy-viewer-ip": viewer})
    assert response.status == status
    assert status == 200 or denied(response)


WWW, HELLO = "http://www.example.com", "http://www.example.com/hello"


@pytest.mark.parametrize(
    ("resource", "url", "covered"),
    [
        pytest.param(resource, url, covered, marks=rule(*rules.split()))
        for rules, resource, url, covered in (
            ("CDN-SGN-17", HELLO, HELLO, True),
            ("CDN-SGN-17", HELLO, f"{WWW}/Hello", False),
            ("CDN-SGN-17", f"{WWW}/h?llo", HELLO, True),
            ("CDN-SGN-17", f"{WWW}/hel?lo", HELLO, False),
            ("CDN-SGN-17", f"{WWW}/*/c", f"{WWW}/a/b/c", True),
            ("CDN-SGN-17", "http://*.example.com/hello", HELLO, True),
            ("CDN-SGN-17", "http://*/hello", f"{WWW}/a/hello", False),
            ("CDN-SGN-17", "https://www.example.com/hello", HELLO, False),
            ("CDN-SGN-17", "http*://www.example.com/hello", HELLO, True),
            ("CDN-SGN-17", "*://www.example.com/hello", HELLO, True),
            ("CDN-SGN-17", "www.example.com/hello", HELLO, False),
            ("CDN-SGN-17", f"{HELLO}\\?a=*", f"{HELLO}?a=1&b=2", True),
            ("CDN-SGN-17", f"{HELLO}\\?a=*&c", f"{HELLO}?a=1&b=2", False),
            ("CDN-SGN-17", f"{HELLO}\\?a=?", f"{HELLO}?a=12", False),
            ("CDN-SGN-17", f"{HELLO}\\?a=1", HELLO, False),
            ("CDN-SGN-17", f"{HELLO}?a=1", f"{HELLO}?a=1", True),
            ("CDN-SGN-17", f"{HELLO}?a=1", f"{HELLO}?a=2", False),
            ("CDN-SGN-18", f"{WWW}/hel*", f"{HELLO}?a=1", True),
            ("CDN-SGN-18", f"{WWW}/hel*", f"{WWW}/hello/x", True),
            ("CDN-SGN-18", f"{WWW}/hel*\\?a=1", f"{HELLO}?a=2", False),
            ("CDN-SGN-18", "http://www.example*", f"{HELLO}?a=1", True),
            ("CDN-SGN-18", "http://www.example.com", HELLO, False),
            ("CDN-SGN-18", "http://www.example.com", f"{WWW}/", True),
            ("CDN-SGN-18", "https://*", HELLO, False),
            ("CDN-SGN-18", "*example.com/hello", HELLO, True),
            ("CDN-SGN-18", "*example.net/hello", HELLO, False),
            ("CDN-SGN-18", "*", f"{HELLO}?a=1", True),
            ("CDN-SGN-19", f"{HELLO}*world", f"{HELLO}-world", True),
            ("CDN-SGN-19", f"{HELLO}*world", "http://www.example.net/hello?world", False),
            ("CDN-SGN-19 CDN-SGN-17", f"{HELLO}*world", f"{HELLO}?world", False),
            ("CDN-SGN-20", HELLO, f"{HELLO}?a=1", False),
            ("CDN-SGN-20", f"{WWW}/*o", f"{HELLO}?a=1", False),
            ("CDN-SGN-22", f"{WWW}/*", "http://alias.example.com/hello", False),
            ("CDN-SGN-22", "http://alias.example.com/*", "http://alias.example.com/hello", True),
        )
    ],
)
def test_which_urls_a_resource_covers(
    private: Private, resource: str, url: str, covered: bool
) -> None:
    site = private()
    host, slash, target = url.removeprefix("http://").partition("/")
    signed = RSA.url(slash + target, policy=custom_policy(resource, FAR))
    response = get(site, signed, Host=host)
    assert response.status == 200 if covered else denied(response)


@rule("CDN-SGN-22")
def test_a_canned_policy_is_for_the_host_that_the_viewer_names(private: Private) -> None:
    site = private()
    signed = RSA.url("http://www.example.com/a", FAR).removeprefix("http://www.example.com")
    assert site.get(signed, headers={"Host": "www.example.com"}).status == 200
    assert denied(site.get(signed))


@rule("CDN-SGN-21", "CDN-SGN-44")
@pytest.mark.parametrize("resource", [None, "{url}/a"])
def test_nothing_can_be_added_to_a_signed_url(private: Private, resource: str | None) -> None:
    site = private()
    policy = custom_policy(resource.format(url=site.url), FAR) if resource else None
    signed = RSA.url(f"{site.url}/a", None if policy else FAR, policy)
    assert get(site, signed).status == 200
    assert denied(get(site, f"{signed}&x=1"))
    assert denied(get(site, signed.replace("?", "?x=1&", 1)))


@rule("CDN-SGN-23", "CDN-RNG-05")
def test_time_counts_when_the_request_begins(
    private: Private, shared: Edge, origin: Origin
) -> None:
    site, now = private(), int(time.time())
    signed = RSA.url(f"{site.url}/a", now + 60)

    def slow(got: Got) -> Answer:
        shared.clock.advance(seconds=120)
        return FRESH

    origin.answer = slow
    assert get(site, signed).text == "secret"
    assert denied(get(site, signed, Range="bytes=0-1"))
    assert denied(get(site, signed))


# Answers


def _refusals(site: Site) -> dict[str, tuple[str, str]]:
    """By rule, a request and what the viewer is told."""
    signed = RSA.url("/a", policy=custom_policy("*", FAR))
    policy, signature, key = signed.removeprefix("/a?").split("&")
    return {
        "nothing": ("/a", "MissingKey"),
        "no key": (f"/a?{policy}&{signature}", "MissingKey"),
        "empty key": (f"/a?{policy}&{signature}&Key-Pair-Id=", "MissingKey"),
        "unknown": (f"/a?{policy}&{signature}&Key-Pair-Id=K1", "InvalidKey"),
        "signature": (f"/a?{policy}&Signature=a*b&{key}", "MalformedSignature"),
        "policy": (f"/a?Policy=AAAA&{signature}&{key}", "MalformedPolicy"),
        "wrong": (f"/a?{policy}&Signature=AAAA&{key}", "AccessDenied"),
        "no signature": (f"/a?{policy}&{key}", "AccessDenied"),
        "no policy": (f"/a?{signature}&{key}", "AccessDenied"),
    }


MESSAGES = {
    "MissingKey": "Missing Key-Pair-Id query parameter or cookie value",
    "InvalidKey": "Unknown Key",
    "MalformedSignature": "Could not unencode Signature",
    "MalformedPolicy": "Malformed Policy",
    "AccessDenied": "Access denied",
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=rule(name))
        for name, cases in {
            "CDN-SGN-40": ("nothing", "no key", "empty key"),
            "CDN-SGN-41": ("unknown",),
            "CDN-SGN-42": ("signature",),
            "CDN-SGN-43": ("policy",),
            "CDN-SGN-44": ("wrong",),
            "CDN-SGN-45": ("no signature", "no policy"),
        }.items()
        for case in cases
    ],
)
def test_what_a_refused_viewer_is_told(private: Private, origin: Origin, case: str) -> None:
    site = private()
    target, code = _refusals(site)[case]
    name, _, query = target.partition("?")
    cookies = {"Cookie": "; ".join(f"CloudFront-{pair}" for pair in query.split("&"))}
    for response in (site.get(target), site.get(name, headers=cookies)):
        assert response.status == 403
        assert response.text == (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f"<Error><Code>{code}</Code><Message>{MESSAGES[code]}</Message></Error>"
        )
        assert response.headers.get("Content-Type") == "text/xml"
        assert response.headers.get("Server") == "CloudFront"
        assert response.x_cache == "Error from cloudfront"
    if case == "nothing":
        assert len(site.get("/a").body) == 146
    head = site.request("HEAD", target)
    assert (head.status, head.body) == (403, b"")
    assert origin.got == []


@rule("CDN-SGN-46")
def test_a_custom_error_page_stands_in(private: Private, origin: Origin) -> None:
    pages = [error_page(403, "/denied.html", 200)]
    site = private(behaviors={"/denied.html": {}}, CustomErrorResponses=pages)
    origin.answer = Answer(body=b"please sign in")
    response = site.get("/a")
    assert (response.status, response.text) == (200, "please sign in")
    assert origin.targets == ["/denied.html"]


def test_the_reason_and_the_log(private: Private, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    site = private(options={"access_log": log})
    target = "/a?x=1&Expires=1&Signature=AAAA&Key-Pair-Id=Rsa"
    response = site.get(target, headers={"x-edgeproxy-explain": "1"})
    why = response.headers.get("x-edgeproxy-why")
    assert "not that of Rsa over the SHA1 of" in why
    assert f'"Resource":"{site.url}/a?x=1",' in why
    exchange = site.exchanges(1)[0]
    assert [step.name for step in exchange.steps] == ["behavior", "admission"]
    fields = dict(zip(STANDARD_FIELDS, log.read_text().splitlines()[-1].split("\t"), strict=True))
    assert fields["sc-status"] == "403"
    assert fields["x-edge-result-type"] == fields["x-edge-detailed-result-type"] == "Error"
    assert fields["x-edge-response-result-type"] == "Error"
    assert fields["cs-uri-query"] == target.partition("?")[2]
    assert fields["sc-content-type"] == "text/xml"


# Together with everything else


@rule("CDN-SGN-05", "CDN-KEY-15")
@pytest.mark.parametrize("settings", [EVERYTHING, legacy(query=True, cookies={"Forward": "all"})])
def test_signatures_share_the_object(
    private: Private, origin: Origin, settings: dict[str, Any]
) -> None:
    site = private(PRIVATE | settings)
    url = f"{site.url}/a?x=1"
    custom = replace(EC, algorithm="SHA256").url(url, policy=custom_policy("*", FAR))
    first = get(site, RSA.url(url, FAR))
    again = [get(site, custom), site.get("/a?x=1", headers=RSA.cookies(url, FAR))]
    assert first.x_cache == "Miss from cloudfront"
    assert [response.x_cache for response in again] == ["Hit from cloudfront"] * 2
    assert denied(site.get("/a?x=1"), "MissingKey")
    assert origin.targets == ["/a?x=1"]
    assert origin.got[0].header("Cookie") is None
    part = get(site, custom, Range="bytes=0-2")
    assert (part.status, part.text) == (206, "sec")
    head = site.request("HEAD", custom.removeprefix(site.url))
    assert (head.status, head.x_cache) == (200, "Hit from cloudfront")


@rule("CDN-INV-06")
def test_a_signed_url_is_invalidated_by_what_stands_before_its_question_mark(
    private: Private, origin: Origin
) -> None:
    site = private(PRIVATE | EVERYTHING)
    signed = RSA.url(f"{site.url}/a", FAR)
    assert get(site, signed).x_cache == "Miss from cloudfront"
    assert site.invalidate(signed.removeprefix(site.url)) == 0
    assert get(site, signed).x_cache == "Hit from cloudfront"
    assert site.invalidate("/a") == 1
    assert get(site, signed).x_cache == "Miss from cloudfront"


@rule("CDN-BEH-30", "LE-TRIG-16")
def test_the_signature_comes_after_the_country_and_before_the_function(private: Private) -> None:
    arn = {"Fn::GetAtt": ["Function", "FunctionARN"]}
    association = {"EventType": "viewer-request", "FunctionARN": arn}
    geo = {"GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["FR"]}}
    site = private(
        PRIVATE | {"FunctionAssociations": [association], "AllowedMethods": ["GET", "HEAD"]},
        Restrictions=geo,
    )
    assert denied(site.get("/a"), "MissingKey")
    assert [step.name for step in site.exchanges(1)[0].steps] == ["behavior", "admission"]
    blocked = site.get("/a", headers={"x-edgeproxy-viewer-country": "FR"})
    assert "block access from your country" in blocked.text
    assert "HTTP request method" in site.request("PUT", "/a").text
    assert get(site, RSA.url(f"{site.url}/a", FAR)).status == 204


@rule("CDN-SGN-25", "CDN-SGN-10")
def test_a_url_signed_for_https_works_after_the_redirect(private: Private) -> None:
    behavior = PRIVATE | {"ViewerProtocolPolicy": "redirect-to-https"}
    site = private(behavior, options={"https_port": 0})
    secure = f"{site.https_url}/a?x=1"
    target = RSA.url(secure, FAR).removeprefix(site.https_url)
    redirect = site.get(target)
    assert (redirect.status, redirect.x_cache) == (301, "Redirect from cloudfront")
    location = redirect.headers.get("Location")
    assert location == RSA.url(secure, FAR)
    followed = location.removeprefix(site.https_url)
    assert site.request("GET", followed, url=site.https_url).text == "secret"
    # Signed for http, it is another URL.
    plain = RSA.url(f"http{site.https_url.removeprefix('https')}/a", FAR).partition("/a")[2]
    assert denied(site.request("GET", f"/a{plain}", url=site.https_url))


@rule("CDN-SGN-26")
def test_the_default_root_object_is_signed_as_the_root(private: Private, origin: Origin) -> None:
    site = private(DefaultRootObject="index.html")
    assert get(site, RSA.url(f"{site.url}/", FAR)).status == 200
    assert origin.targets == ["/index.html"]
    named = RSA.url(f"{site.url}/index.html", FAR).partition("?")[2]
    assert denied(site.get(f"/?{named}"))


@rule("CDN-SGN-27")
@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "POST", "DELETE"])
def test_every_method_needs_a_signature(private: Private, origin: Origin, method: str) -> None:
    site = private()
    assert site.request(method, "/a").status == 403
    assert origin.got == []
    target = RSA.url(f"{site.url}/a", FAR).removeprefix(site.url)
    assert site.request(method, target).status == 200


# Hostile


def _policies() -> dict[str, bytes]:
    times = b'{"DateLessThan":{"AWS:EpochTime":2000000000}}'
    return {
        "empty": b"",
        "not json": b"{",
        "not utf-8": b"\xff\xfe",
        "nul": b"\0",
        "deep": b"[" * 5000,
        "deep objects": b'{"Statement":' * 400,
        "a list": b"[]",
        "a number": b"1",
        "null": b"null",
        "no statement": b"{}",
        "no statements": b'{"Statement":[]}',
        "two": b'{"Statement":[{"Condition":%s},{"Condition":%s}]}' % (times, times),
        "one outside a list": b'{"Statement":{"Condition":%s}}' % times,
        "no condition": b'{"Statement":[{"Resource":"*"}]}',
        "null condition": b'{"Statement":[{"Condition":null}]}',
        "no end": b'{"Statement":[{"Condition":{"DateGreaterThan":{"AWS:EpochTime":1}}}]}',
        "text as time": b'{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":"2"}}}]}',
        "truth as time": b'{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":true}}}]}',
        "half a second": b'{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":2.5}}}]}',
        "huge time": b'{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1%s}}}]}'
        % (b"0" * 300),
        "nan": b'{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":NaN}}}]}',
        "time alone": b'{"Statement":[{"Condition":{"DateLessThan":2000000000}}]}',
        "typing error": b'{"Statement":[{"Condition":{"IPAddress":{},%s]}' % (times[1:] + b"}"),
        "resource as list": b'{"Statement":[{"Resource":["*"],"Condition":%s}]}' % times,
        "null resource": b'{"Statement":[{"Resource":null,"Condition":%s}]}' % times,
        "surrogate": b'{"Statement":[{"Resource":"\\ud800","Condition":%s}]}' % times,
        **{
            f"address {source!r}": json.dumps(
                {
                    "Statement": [
                        {
                            "Condition": {
                                "DateLessThan": {"AWS:EpochTime": FAR},
                                "IpAddress": {"AWS:SourceIp": source},
                            }
                        }
                    ]
                }
            ).encode()
            for source in ("", "nowhere", "1.2.3", "1.2.3.4/33", 1, None, ["0.0.0.0/0"], True)
        },
    }


@rule("CDN-SGN-43", "CDN-SGN-13")
@pytest.mark.parametrize("name", _policies())
def test_what_is_no_policy(private: Private, name: str) -> None:
    site = private()
    text = _policies()[name]
    # Properly signed, so that nothing else can be what is wrong with it.
    signature = cloudfront_base64(RSA.sign(text))
    query = f"Policy={cloudfront_base64(text)}&Signature={signature}&Key-Pair-Id=Rsa"
    assert denied(site.get(f"/a?{query}"), "MalformedPolicy")
    cookies = "; ".join(f"CloudFront-{pair}" for pair in query.split("&"))
    assert denied(site.get("/a", headers={"Cookie": cookies}), "MalformedPolicy")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("Key-Pair-Id", "MissingKey"),
        ("&&&=&Signature", "MissingKey"),
        ("Key-Pair-Id=Nobody&Key-Pair-Id=Rsa", "InvalidKey"),
        ("Key-Pair-Id=Rsa&Key-Pair-Id=Nobody", "AccessDenied"),
        ("Key-Pair-Id=" + "K" * 5000, "InvalidKey"),
        ("Key-Pair-Id=Rsa&Signature&Expires", "MalformedPolicy"),
        ("Key-Pair-Id=Rsa&Expires=1&Signature=A", "MalformedSignature"),
        ("Key-Pair-Id=Rsa&Expires=1&Signature=____", "MalformedSignature"),
        ("Key-Pair-Id=Rsa&Expires=1&Signature=AA__AAAA", "MalformedSignature"),
        ("Key-Pair-Id=Rsa&Expires=1&Signature=AAA%3D", "MalformedSignature"),
        ("Key-Pair-Id=Rsa&Expires=1&Signature=" + "A" * 6000, "AccessDenied"),
        ("Key-Pair-Id=Ec&Expires=1&Signature=AAAA", "AccessDenied"),
        ("Key-Pair-Id=Rsa&Signature=AAAA&Policy=" + "A" * 6000, "MalformedPolicy"),
        ("Key-Pair-Id=Rsa&Signature=AAAA&Policy=A%0A", "MalformedPolicy"),
        ("Key-Pair-Id=Rsa&Signature=AAAA&Expires=" + "9" * 5000, "MalformedPolicy"),
        ("Key-Pair-Id=Rsa&Signature=AAAA&Expires=1&Hash-Algorithm=" + "S" * 5000, "AccessDenied"),
    ],
)
def test_hostile_signatures(private: Private, origin: Origin, query: str, code: str) -> None:
    site = private()
    assert denied(site.get(f"/a?{query}", headers={"x-edgeproxy-explain": "1"}), code)
    pairs = [f"CloudFront-{pair}" for pair in query.split("&") if "=" in pair]
    response = site.get("/a", headers={"Cookie": "; ".join(pairs)})
    assert response.status == 403
    assert origin.got == []


def test_bytes_beyond_ascii_in_cookies(private: Private) -> None:
    site = private()
    for name, code in (
        ("Key-Pair-Id=R\xfc", "InvalidKey"),
        ("Key-Pair-Id=Rsa; CloudFront-Expires=1; CloudFront-Signature=\xfc", "MalformedSignature"),
        (
            "Key-Pair-Id=Rsa; CloudFront-Signature=AA__; CloudFront-Expires=\xb2",
            "MalformedPolicy",
        ),
    ):
        headers = {"Cookie": f"CloudFront-{name}", "x-edgeproxy-explain": "1"}
        assert denied(site.get("/a", headers=headers), code)


@pytest.mark.rule("CDN-INV-06")
def test_the_path_of_a_signed_url_is_invalidated_without_what_signs_it(
    private: Private, origin: Origin
) -> None:
    site = private()
    signed = RSA.url(f"{site.url}/a", FAR)
    assert get(site, signed).x_cache == "Miss from cloudfront"
    assert get(site, signed).x_cache == "Hit from cloudfront"
    assert site.invalidate(signed.removeprefix(site.url)) == 0
    assert site.invalidate("/a") == 1
    assert get(site, signed).x_cache == "Miss from cloudfront"
