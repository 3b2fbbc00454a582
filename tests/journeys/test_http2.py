"""Viewers over HTTP/2 as people have them: curl, nghttp, h2load, and whatever TLS agrees on."""

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from edgeproxy.distribution.security_policies import CIPHERS
from edgeproxy.testing import Edge, Site
from tests.journeys.test_https import template
from tests.support.origin import Answer, running_origin
from tests.wire.http2 import http2

ECDSA = [cipher for cipher in CIPHERS["TLSv1"] if "-ECDSA-" in cipher]


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def serve(edge: Edge, tmp_path: Path) -> Callable[..., Site]:
    def served(
        origin: str = "http://127.0.0.1:1",
        *,
        http_version: str = "http2",
        minimum: str = "TLSv1.2_2021",
        **options: object,
    ) -> Site:
        path = template(tmp_path, "shop.test", minimum=minimum)
        definition = yaml.safe_load(path.read_text())
        config = definition["Resources"]["Site0"]["Properties"]["DistributionConfig"]
        config["HttpVersion"] = http_version
        path.write_text(yaml.safe_dump(definition))
        return edge.serve(path, origins={"shop.test": origin}, https_port=0, **options)

    return served


def handshake(site: Site, name: str = "shop.test", ciphers: str = "DEFAULT") -> tuple[str, str]:
    """The protocol and the cipher that are agreed on."""
    client = ssl.create_default_context(cafile=site.running.program.authority)
    client.check_hostname = bool(name)
    client.set_alpn_protocols(["h2", "http/1.1"])
    if ciphers != "DEFAULT":
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    port = int(site.https_url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        client.wrap_socket(connection, server_hostname=name or None) as secured,
    ):
        return secured.selected_alpn_protocol() or "", secured.cipher()[0]  # type: ignore[index]


def command(site: Site, tool: str, *arguments: str) -> str:
    """What a client prints that asks for shop.test."""
    found = shutil.which(tool)
    assert found, (
        f"{tool} is missing: apt-get install {'curl' if tool == 'curl' else 'nghttp2-client'}"
    )
    done = subprocess.run(
        [found, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.rule("LE-URI-08")
async def test_hits_on_paths_with_bytes_beyond_ascii(serve: Callable[..., Site]) -> None:
    with running_origin() as origin:
        origin.answer = Answer(200, {"Cache-Control": "max-age=60"}, b"caf\xe9")
        site = serve(origin.url)
        client = ssl.create_default_context(cafile=site.running.program.authority)
        client.check_hostname = False
        client.set_alpn_protocols(["h2"])
        where = SimpleNamespace(port=int(site.https_url.rpartition(":")[2]))
        async with http2(where, client) as viewer:  # type: ignore[arg-type]
            for path in ("/caf\xe9", "/caf\xc3\xa9?\xff"):
                told = [await viewer.ask(path) for _ in range(4)]
                assert [reply.body for reply in told] == [b"caf\xe9"] * 4
                results = [reply.header("x-cache") for reply in told]
                assert results == ["Miss from cloudfront", *["Hit from cloudfront"] * 3]


def curl(site: Site, path: str, *arguments: str) -> str:
    port = site.https_url.rpartition(":")[2]
    return command(
        site, "curl", "-s", "--http2", "--cacert", str(site.running.program.authority),
        "--connect-to", f"shop.test:443:127.0.0.1:{port}", f"https://shop.test{path}", *arguments,
    )  # fmt: skip


@pytest.mark.rule("CDN-VER-01", "CDN-VER-02", "CDN-CFG-035")
@pytest.mark.parametrize(
    ("http_version", "name", "agreed"),
    [
        ("http2", "shop.test", "h2"),
        ("http2and3", "shop.test", "h2"),
        ("http3", "shop.test", "http/1.1"),
        ("http1.1", "shop.test", "http/1.1"),
        ("http2", "", "http/1.1"),
    ],
)
def test_what_is_spoken_is_what_the_distribution_says(
    serve: Callable[..., Site], http_version: str, name: str, agreed: str
) -> None:
    site = serve(http_version=http_version)
    assert handshake(site, name)[0] == agreed


@pytest.mark.rule("CDN-CFG-153")
@pytest.mark.parametrize("policy", [name for name in CIPHERS if name != "TLSv1.3_2025"])
def test_a_security_policy_restricts_ciphers(serve: Callable[..., Site], policy: str) -> None:
    site = serve(minimum=policy)
    accepted = []
    for cipher in ECDSA:
        try:
            accepted.append(handshake(site, ciphers=cipher)[1])
        except (ssl.SSLError, ConnectionError):
            continue
    assert accepted == [cipher for cipher in CIPHERS[policy] if cipher in ECDSA]
    # Of those that the viewer offers, the first in CloudFront's list is taken.
    assert handshake(site, ciphers=":".join(reversed(ECDSA)))[1] == accepted[0]


@pytest.mark.rule("CDN-CFH-14", "CDN-VER-03")
def test_a_request_over_http_2_and_its_record(serve: Callable[..., Site], tmp_path: Path) -> None:
    with running_origin() as origin:
        origin.answer = Answer(headers={"X-Own": "1", "Cache-Control": "max-age=60"})
        site = serve(origin.url, access_log=tmp_path / "log")
        heads = [curl(site, "/a?b=c", "-i", "-H", "X-Mine: 2").replace("\r", "") for _ in range(3)]
        for head, result in zip(heads, ("Miss", "Hit", "Hit"), strict=True):
            status, *lines = head.partition("\n\n")[0].split("\n")
            assert status.rstrip() == "HTTP/2 200"
            assert {"x-own: 1", f"x-cache: {result} from cloudfront"} <= set(lines)
            assert all(
                line == line.partition(":")[0].lower() + ":" + line.partition(":")[2]
                for line in lines
            )
            assert not any(line.startswith(("connection", "transfer-encoding")) for line in lines)
            assert head.endswith("from the origin")
        [got] = origin.got
        assert got.header("CloudFront-Viewer-Http-Version") == "2.0"
        assert (got.header("Via") or "").startswith("2.0 ")
        assert got.header("x-mine") == "2"
        records = site.exchanges(3)
        assert [record.request.version for record in records] == ["2.0"] * 3
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if line[0] != "#"]
    assert [line.split("\t")[23] for line in lines] == ["HTTP/2.0"] * 3
    sizes = {line.split("\t")[3] for line in lines}
    assert all(0 < int(size) < 1000 for size in sizes)


def test_nghttp_and_h2load(serve: Callable[..., Site]) -> None:
    with running_origin() as origin:
        origin.answer = Answer(headers={"Cache-Control": "max-age=60"}, body=b"x" * 100_000)
        site = serve(origin.url)
        port = site.https_url.rpartition(":")[2]
        url = f"https://localhost:{port}/big"
        assert "from cloudfront" in curl(site, "/big", "-I")
        assert len(curl(site, "/big")) == 100_000
        said = command(site, "nghttp", "-nv", "--window-bits=8", "-m", "3", url)
        assert len(re.findall(r"recv DATA .*stream_id=(?!0)", said)) > 3
        assert "error_code=NO_ERROR" in said
        said = command(site, "h2load", "-n", "500", "-c", "5", "-m", "20", url)
        assert "500 succeeded, 0 failed, 0 errored" in said
        # HEAD, GET, and with another Accept-Encoding those of nghttp; h2load has hits alone.
        assert len(origin.got) <= 5


def test_an_upload_with_curl(serve: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    data = tmp_path / "upload"
    data.write_bytes(bytes(3_000_000))
    with running_origin() as origin:
        site = serve(origin.url)
        said = curl(
            site, "/", "-T", str(data), "-w", "%{http_version} %{http_code}", "-o", "/dev/null"
        )
        assert said == "2 403"  # PUT is not among the methods that are allowed.


async def test_a_hit_that_is_answered_again_is_the_same(
    serve: Callable[..., Site], tmp_path: Path
) -> None:
    """By the handler the first times, then by the connection itself."""
    with running_origin() as origin:
        origin.answer = Answer(headers={"Cache-Control": "max-age=60", "ETag": '"a"'})
        site = serve(origin.url, access_log=tmp_path / "log")
        client = ssl.create_default_context(cafile=site.running.program.authority)
        client.set_alpn_protocols(["h2"])
        port = int(site.https_url.rpartition(":")[2])
        async with http2(SimpleNamespace(port=port), client) as viewer:  # type: ignore[arg-type]
            replies = [await viewer.ask("/a", "GET", ("accept", "*/*")) for _ in range(5)]
        changing = {"date", "age", "x-amz-cf-id"}
        heads = [
            [(name, "" if name in changing else value) for name, value in reply.lines]
            for reply in replies
        ]
        assert heads[1] == heads[2] == heads[3] == heads[4]
        assert {reply.body for reply in replies} == {b"from the origin"}
        assert len({reply.header("x-amz-cf-id") for reply in replies}) == 5
        _, *hits = sorted(site.exchanges(5), key=lambda exchange: exchange.started)
        assert {hit.request for hit in hits} == {hits[0].request}
        told = [
            [(step.name, step.decision.kind) for step in hit.steps if step.decision] for hit in hits
        ]
        assert told == [told[0]] * 4
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if line[0] != "#"]
    rows = [line.split("\t") for line in lines[1:]]
    # All but times, IDs, and what was sent, since heads are compressed in one way or the other.
    for at in (5, 7, 8, 13, 15, 16, 17, 22, 23, 28, 29, 30):
        assert len({row[at] for row in rows}) == 1, at
