"""Requests that are meant to do harm: nothing breaks, and nothing gets out."""

from pathlib import Path

import pytest

from tests.support.delivery import ALL_VIEWER, CACHING_DISABLED, cache_policy, raw
from tests.support.origin import Answer

FRESH = Answer(headers={"Cache-Control": "max-age=60", "Content-Type": "text/css"}, body=b"p{}")

CLIMBING = [
    "/../secret.txt",
    "/../../../../../../etc/passwd",
    "/a/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/..%5csecret.txt",
    "/..\\secret.txt",
    "/%252e%252e/secret.txt",
    "//secret.txt",
    "///../secret.txt",
    "/./../secret.txt",
    "/a/..;/../secret.txt",
    "/%00/../secret.txt",
    "/secret.txt%00.css",
    "/link.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/..%c0%afsecret.txt",
    "/",
    "/.",
    "/a",
    "/a/",
]


@pytest.mark.rule("CDN-S3-01", "CDN-S3-02")
@pytest.mark.parametrize("path", CLIMBING)
@pytest.mark.parametrize("origin_path", ["", "/a"])
def test_nothing_outside_the_folder_is_reached(deliver, tmp_path: Path, path, origin_path):
    bucket = tmp_path / "bucket"
    (bucket / "a").mkdir(parents=True)
    (bucket / "a" / "ok.txt").write_text("fine")
    (tmp_path / "secret.txt").write_text("secret")
    (bucket / "link.txt").symlink_to(tmp_path / "secret.txt")
    origin = {"OriginPath": origin_path} if origin_path else {}
    site = deliver({"cache": CACHING_DISABLED}, origin=origin, at={"web": bucket})
    answer = raw(site, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in (b"400", b"403")
    assert b"\r\n\r\nsecret" not in answer
    assert site.get("/ok.txt" if origin_path else "/a/ok.txt").text == "fine"


HOSTILE = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "strange host": b"GET / HTTP/1.1\r\nHost: a b@[::1]:99999999/..\r\n\r\n",
    "absolute target": b"GET http://other.example/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
    "connect": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "trace": b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    "lower-case method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes in the path": b"GET /\xff\xfe?\x80=\xc3\x28 HTTP/1.1\r\nHost: a\r\n\r\n",
    "percent in the path": b"GET /%zz/%?%%%=%&&&== HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: \xff\xfe\xc3\x28\r\n\r\n",
    "nul in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: a\0b\r\n\r\n",
    "split header": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: a\r\n b\r\n\r\n",
    "strange cookies": b"GET / HTTP/1.1\r\nHost: a\r\nCookie: ;;=;a;=b;\xff=\xff;$x=1; a=1\r\n\r\n",
    "strange ranges": b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=" + b"0-," * 2000 + b"\r\n\r\n",
    "huge range": b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=" + b"9" * 5000 + b"-\r\n\r\n",
    "strange dates": b"GET / HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: " + b"9" * 99 + b"\r\n\r\n",
    "strange tags": b'GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: ,"\xff,W/,",*\r\n\r\n',
    "strange encodings": b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ;;q=x,gzip;q=9e9,\r\n\r\n",
    "strange origin": b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://[::]:x/\xff\r\n\r\n",
    "strange via": b"GET / HTTP/1.1\r\nHost: a\r\nVia: ,,\xff(\r\n\r\n",
    "wrong country": b"GET / HTTP/1.1\r\nHost: a\r\nx-edgeproxy-viewer-country: ../..\r\n\r\n",
    "wrong address": b"GET / HTTP/1.1\r\nHost: a\r\nx-edgeproxy-viewer-ip: 1.2.3\r\n\r\n",
    "explained": b"GET /\xff HTTP/1.1\r\nHost: a\r\nx-edgeproxy-explain: 1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
    b"Content-Length: 2\r\n\r\nab",
    "both framings": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "broken chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "no websocket": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
    b"Upgrade: h2c, \xff\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"x" * 40_000 + b"\r\n\r\n",
    "long path": b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 3_000 + b"\r\n",
    "many parameters": b"GET /?" + b"a&" * 4_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "nonsense": bytes(range(256)),
}  # fmt: skip
UNFINISHED = {
    "no end of the head": b"GET / HTTP/1.1\r\nHost: a\r\n",
    "short body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf",
}


@pytest.mark.parametrize("stored", [False, True], ids=["miss", "hit"])
@pytest.mark.parametrize(
    "data", [*HOSTILE.values(), *UNFINISHED.values()], ids=HOSTILE | UNFINISHED
)
def test_no_request_breaks_the_edge(deliver, tmp_path, origin, caplog, data, stored):
    origin.answer = FRESH
    log = tmp_path / "access.log"
    site = deliver(
        {
            "cache": cache_policy(query="all", cookies="all", headers="whitelist X-A", gzip=True),
            "forward": ALL_VIEWER,
            "respond": "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
        },
        options={"access_log": log},
    )
    if stored:
        site.get("/")
    answer = raw(site, data, leaves=data in UNFINISHED.values())
    if answer:
        status = int(answer.split(b" ")[1])
        assert status != 500
    assert site.get("/still-there").status == 200
    log.read_text("ascii")
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
