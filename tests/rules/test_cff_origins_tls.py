"""CloudFront Functions and the TLS towards origins: names, certificates, and who may be changed."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.origin import Answer, Origin, running_origin
from tests.support.viewer_functions import function, viewer_functions_template
from tests.unit.origins.certificates import server_context, trusting

IMPORT = "import cf from 'cloudfront';"
EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""The managed policy AllViewerExceptHostHeader."""


def x_cache(response: SiteResponse) -> tuple[int, str]:
    return response.status, response.x_cache.removesuffix(" from cloudfront")


def custom(origin_id: str, domain_name: str, **config: Any) -> dict[str, Any]:
    return {
        "Id": origin_id,
        "DomainName": domain_name,
        "ConnectionAttempts": 1,
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only", **config},
    }


class TlsStage:
    """An origin at ``localhost`` that shows a trusted certificate for ``tls.example.com``."""

    def __init__(self, edge: Edge, folder: Path, origin: Origin, names: list[str | None]) -> None:
        self._edge = edge
        self._folder = folder
        self.origin = origin
        self.names = names
        """The SNI of each handshake."""
        self.port = int(origin.url.rpartition(":")[2])

    def serve(self, statement: str, target: str, **behavior: Any) -> Site:
        declared = [
            custom("web", "web.example.com"),
            custom("tls", "localhost", OriginProtocolPolicy="https-only", HTTPSPort=self.port),
        ]
        path = viewer_functions_template(
            self._folder,
            {"viewer-request": function(statement, head=IMPORT)},
            behavior={"TargetOriginId": target, **behavior},
            distribution={"Origins": declared},
        )
        return self._edge.serve(path, origins={"web": "http://127.0.0.1:1"})


@pytest.fixture
def stage(shared: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsStage]:
    names: list[str | None] = []
    tls = server_context(tmp_path, "tls.example.com")

    def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        names.append(name)

    tls.sni_callback = note  # type: ignore[assignment]
    with trusting(tmp_path / "tls.example.com.pem", monkeypatch), running_origin(tls) as origin:
        yield TlsStage(shared, tmp_path, origin, names)


def to_tls(*members: str) -> str:
    given = ", ".join(["domainName: 'localhost'", *members])
    return (
        f"cf.updateRequestOrigin({{{given}, customOriginConfig: "
        "{port: PORT, protocol: 'https', sslProtocols: ['TLSv1.2']}});"
    )


@pytest.mark.parametrize(
    ("statement", "target", "sni", "status"),
    [
        pytest.param(to_tls(), "web", "localhost", 502, id="domain-name"),
        pytest.param(
            to_tls("hostHeader: 'tls.example.com'"), "web", "tls.example.com", 200, id="host-header"
        ),
        pytest.param(to_tls("sni: 'tls.example.com'"), "web", "tls.example.com", 200, id="sni"),
        pytest.param(
            to_tls("sni: 'tls.example.com'", "hostHeader: 'h.example'"),
            "web",
            "tls.example.com",
            200,
            id="sni-before-host-header",
        ),
        pytest.param(
            to_tls("hostHeader: 'h.example'"), "web", "h.example", 502, id="host-before-domain-name"
        ),
        pytest.param(
            "cf.updateRequestOrigin({originPath: '/p'});",
            "tls",
            "tls.example.com",
            200,
            id="the-viewer-s-host",
        ),
        pytest.param(
            "cf.selectRequestOriginById('tls', {sni: 'tls.example.com', hostHeader: 'h.example'});",
            "web",
            "tls.example.com",
            200,
            id="selected",
        ),
        pytest.param(
            "cf.createRequestOriginGroup({originIds: [{originId: 'tls', originOverrides: "
            "{sni: 'tls.example.com'}}, {originId: 'web'}], failoverCriteria: {statusCodes: "
            "[500]}});",
            "web",
            "tls.example.com",
            200,
            id="member-of-a-group",
        ),
    ],
)
@pytest.mark.rule("CFF-ORG-09")
def test_the_server_name(stage: TlsStage, statement, target, sni, status) -> None:
    site = stage.serve(statement.replace("PORT", str(stage.port)), target)
    response = site.get("/", headers={"Host": "tls.example.com"})
    assert response.status == status
    assert stage.names == [sni]
    assert len(stage.origin.got) == (status == 200)


@pytest.mark.rule("CFF-ORG-09", "CDN-ORG-11")
def test_the_assigned_origin_s_name_when_no_host_is_forwarded(stage: TlsStage) -> None:
    statement = "cf.updateRequestOrigin({originPath: '/p'});"
    site = stage.serve(statement, "tls", OriginRequestPolicyId=EXCEPT_HOST)
    assert x_cache(site.get("/", headers={"Host": "tls.example.com"})) == (502, "Error")
    assert stage.names == ["localhost"]


@pytest.mark.parametrize(
    ("allowed", "status"),
    [
        ("['tls.example.com']", 200),
        ("['other.example', '*.example.com']", 200),
        ("['other.example']", 502),
        ("['*.tls.example.com', 'example.com', '*.com']", 502),
    ],
)
@pytest.mark.rule("CFF-ORG-03", "CFF-ORG-14")
@pytest.mark.parametrize("host", ["localhost", "tls.example.com"])
def test_the_names_that_are_allowed_in_a_certificate(stage: TlsStage, allowed, status, host):
    names = f"allowedCertificateNames: {allowed}, hostHeader: '{host}'"
    site = stage.serve(f"cf.selectRequestOriginById('tls', {{{names}}});", "web")
    assert site.get("/").status == status
    assert stage.names == [host]


@pytest.mark.rule("LE-ORG-17")
@pytest.mark.parametrize(("host", "expected"), [("tls.example.com", 200), ("h.example", 502)])
def test_a_certificate_that_matches_neither_name_is_502(stage: TlsStage, host, expected) -> None:
    site = stage.serve("", "tls")
    response = site.get("/", headers={"Host": host})
    assert response.status == expected
    if expected == 502:
        assert x_cache(response) == (502, "Error")
        assert "it is for tls.example.com, not for localhost or h.example" in site.console


# Origins that functions may not change as they like


@pytest.fixture
def serve_kinds(shared: Edge, tmp_path: Path) -> Iterator[Any]:
    """Serves a function over origins of all kinds; every one is a real one that says its ID."""
    with ExitStack() as stack:
        origins = {
            name: stack.enter_context(running_origin())
            for name in ("plain", "vpc", "mtls", "twin", "other")
        }
        for name, origin in origins.items():
            origin.answer = Answer(body=name.encode())

        def mtls(name: str, certificate: str) -> dict[str, Any]:
            arn = f"arn:aws:acm:us-east-1:123456789012:certificate/{certificate}"
            return custom(
                name, f"{name}.example.com", OriginMtlsConfig={"ClientCertificateArn": arn}
            )

        declared = [
            custom("plain", "plain.example.com"),
            {
                "Id": "vpc",
                "DomainName": "vpc.example.com",
                "VpcOriginConfig": {"VpcOriginId": "vo_1"},
            },
            mtls("mtls", "a"),
            mtls("twin", "a"),
            mtls("other", "b"),
        ]

        def serve(statement: str, target: str) -> Site:
            path = viewer_functions_template(
                tmp_path,
                {"viewer-request": function(statement, head=IMPORT)},
                behavior={"TargetOriginId": target},
                distribution={"Origins": declared},
            )
            return shared.serve(path, origins={name: at.url for name, at in origins.items()})

        yield serve


def moving_to(name: str, more: str = "") -> str:
    return f"cf.updateRequestOrigin({{domainName: '{name}.example.com'{more}}});"


GROUP = "cf.createRequestOriginGroup({originIds: [%s], failoverCriteria: {statusCodes: [500]}});"
OFF = ", mTLSConfig: 'off'"


@pytest.mark.parametrize(
    ("statement", "target", "answers"),
    [
        pytest.param("cf.updateRequestOrigin({originPath: '/p'});", "vpc", "CFF-ORG-13"),
        pytest.param(moving_to("plain"), "vpc", "CFF-ORG-13"),
        pytest.param("cf.selectRequestOriginById('vpc');", "plain", "vpc"),
        pytest.param("cf.selectRequestOriginById('plain');", "vpc", "plain"),
        pytest.param(GROUP % "'vpc', 'plain'", "plain", "vpc"),
    ],
)
@pytest.mark.rule("CFF-ORG-13", "CFF-ORG-14")
def test_a_vpc_origin_is_selected_and_never_changed(serve_kinds, statement, target, answers):
    check(serve_kinds(statement, target), answers)


@pytest.mark.parametrize(
    ("statement", "target", "answers"),
    [
        (moving_to("twin"), "mtls", "twin"),
        ("cf.updateRequestOrigin({originPath: '/p'});", "mtls", "mtls"),
        (moving_to("other"), "mtls", "CFF-ORG-19"),
        (moving_to("plain"), "mtls", "CFF-ORG-19"),
        (moving_to("plain", OFF), "mtls", "plain"),
        (moving_to("mtls"), "plain", "CFF-ORG-19"),
        (moving_to("twin", OFF), "mtls", "CFF-ORG-19"),
        (moving_to("twin", ", mTLSConfig: 'on'"), "mtls", "CFF-ORG-19"),
        ("cf.selectRequestOriginById('mtls');", "plain", "CFF-ORG-19"),
        ("cf.selectRequestOriginById('plain');", "mtls", "plain"),
        (GROUP % "'plain', 'mtls'", "plain", "CFF-ORG-19"),
        (GROUP % "'mtls', 'plain'", "plain", "CFF-ORG-19"),
    ],
)
@pytest.mark.rule("CFF-ORG-19")
def test_origins_with_mutual_tls(serve_kinds, statement, target, answers):
    check(serve_kinds(statement, target), answers)


def check(site: Site, answers: str) -> None:
    """``answers`` is the body, or the rule for which the function's result is refused."""
    response = site.get("/")
    if not answers.startswith("CFF"):
        assert (response.status, response.text) == (200, answers)
        return
    assert x_cache(response) == (502, "FunctionValidationError")
    assert "origin rewrite" in response.text
    [run] = site.exchanges(1)[0].functions
    assert [finding.rule for finding in run.findings] == [answers]
