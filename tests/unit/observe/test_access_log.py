"""The standard log: 33 fields in CloudFront's order, each with CloudFront's value."""

import csv
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import EMPTY_BODY, BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response, Viewer
from edgeproxy.observe.access_log import FIELDS, AccessLog, escape_field, log_line
from tests.unit.exchange.records import exchange

DOMAIN = "d111111abcdef8.cloudfront.net"
RANGE = Headers([("Content-Range", "bytes 10-19/1000")])


async def _no_chunks() -> Any:
    return
    yield


def fields_of(done: Exchange) -> dict[str, str]:
    values = log_line(done, "SEA19-C1", DOMAIN).split("\t")
    return dict(zip(FIELDS, values, strict=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def log(path: Path) -> Iterator[AccessLog]:
    log = AccessLog(path, "SEA19-C1", {"Site": DOMAIN}.__getitem__)
    yield log
    log.close()


@pytest.mark.rule("CDN-LOG-01")
def test_a_new_file_begins_with_version_and_fields(log: AccessLog, path: Path) -> None:
    version, fields = path.read_text("ascii").splitlines()
    assert version == "#Version: 1.0"
    assert fields == (
        "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
        "cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id "
        "x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher "
        "x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port "
        "time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
        "sc-range-start sc-range-end"
    )


def test_every_field_of_a_full_line(log: AccessLog, path: Path) -> None:
    headers = Headers(
        [
            ("Host", "www.example.com"),
            ("Referer", "https://example.com/a b"),
            ("User-Agent", "Mozilla/5.0 (X11; Linux)"),
            ("Cookie", "a=1; b=2"),
            ("Cookie", "c=3"),
            ("X-Forwarded-For", "198.51.100.1"),
            ("X-Forwarded-For", "198.51.100.2"),
        ]
    )
    viewer = Viewer("192.0.2.7", 50123, "https", "DE", "TLSv1.3", "TLS_AES_128_GCM_SHA256")
    log.ended(
        exchange(
            headers=headers,
            viewer=viewer,
            version="2.0",
            query="q=1&r=[2]",
            path="/a%20b/ü",
            first_byte_s=0.0124,
            response=Response(206, Headers([("Content-Type", "text/css"), *RANGE]), BytesBody(b"")),
            detailed_result_type="OriginShieldHit",
        )
    )
    with path.open(encoding="ascii", newline="") as file:
        (row,) = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[2:]
    assert len(row) == 33
    assert dict(zip(FIELDS, row, strict=True)) == {
        "date": "2026-11-21",
        "time": "03:50:32",
        "x-edge-location": "SEA19-C1",
        "sc-bytes": "321",
        "c-ip": "192.0.2.7",
        "cs-method": "GET",
        "cs(Host)": DOMAIN,
        "cs-uri-stem": "/a%2520b/%C3%BC",
        "sc-status": "206",
        "cs(Referer)": "https://example.com/a%20b",
        "cs(User-Agent)": "Mozilla/5.0%20(X11;%20Linux)",
        "cs-uri-query": "q=1&r=%5B2%5D",
        "cs(Cookie)": "a=1;%20b=2;%20c=3",
        "x-edge-result-type": "Hit",
        "x-edge-request-id": "A" * 54 + "==",
        "x-host-header": "www.example.com",
        "cs-protocol": "https",
        "cs-bytes": "123",
        "time-taken": "0.250",
        "x-forwarded-for": "198.51.100.1,%20198.51.100.2",
        "ssl-protocol": "TLSv1.3",
        "ssl-cipher": "TLS_AES_128_GCM_SHA256",
        "x-edge-response-result-type": "Hit",
        "cs-protocol-version": "HTTP/2.0",
        "fle-status": "-",
        "fle-encrypted-fields": "-",
        "c-port": "50123",
        "time-to-first-byte": "0.012",
        "x-edge-detailed-result-type": "OriginShieldHit",
        "sc-content-type": "text/css",
        "sc-content-len": "0",
        "sc-range-start": "10",
        "sc-range-end": "19",
    }


def test_what_has_no_value_is_a_dash() -> None:
    fields = fields_of(exchange(headers=Headers(), query="", response=Response(200)))
    dashes = {name for name, value in fields.items() if value == "-"}
    assert dashes == {
        *("cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "x-host-header"),
        *("x-forwarded-for", "ssl-protocol", "ssl-cipher", "fle-status", "fle-encrypted-fields"),
        *("sc-content-type", "sc-range-start", "sc-range-end"),
    }


def test_the_time_is_when_the_request_finished() -> None:
    fields = fields_of(exchange(duration_s=3600 * 21))
    assert (fields["date"], fields["time"]) == ("2026-11-22", "00:50:32")
    assert fields["time-taken"] == "75600.000"


@pytest.mark.rule("CDN-LOG-03")
def test_which_bytes_are_encoded() -> None:
    encoded = set(range(33)) | set(b"<>\"#%{}|\\^~[]`'") | set(range(127, 256))
    for byte in range(256):
        text = escape_field(bytes([byte]).decode("utf-8", "surrogateescape"))
        assert text == (f"%{byte:02X}" if byte in encoded else chr(byte))


@pytest.mark.rule("CDN-LOG-03")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b\tc\r\nd", "a%20b%09c%0D%0Ad"),
        ("\x1b[31m", "%1B%5B31m"),
        ("\x7f", "%7F"),
        ("€", "%E2%82%AC"),
        (b"\xff".decode("utf-8", "surrogateescape"), "%FF"),
        ("a=1&b=/?:@!$()*+,;-._", "a=1&b=/?:@!$()*+,;-._"),
    ],
)
def test_encoded_values(value: str, text: str) -> None:
    assert escape_field(value) == text


@pytest.mark.rule("CDN-LOG-03")
def test_nothing_a_viewer_sends_breaks_the_line(log: AccessLog, path: Path) -> None:
    evil = "\t\n\r\x0b\x0c\x1c\x85\u2028\udcff"
    headers = Headers([(name, evil) for name in ("Host", "Referer", "User-Agent", "Cookie")])
    log.ended(exchange(path="/" + evil, query=evil, headers=headers))
    lines = path.read_bytes().decode("ascii").splitlines()
    assert len(lines) == 3
    assert len(lines[2].split("\t")) == 33


@pytest.mark.rule("CDN-LOG-10")
def test_a_viewer_who_leaves_in_the_middle_of_a_hit() -> None:
    fields = fields_of(exchange(aborted=True))
    assert fields["x-edge-response-result-type"] == "Hit"
    assert fields["x-edge-result-type"] == "Error"
    assert fields["x-edge-detailed-result-type"] == "ClientCommError"
    assert fields["sc-status"] == "200"


@pytest.mark.parametrize("response", [None, Response(200)])
def test_a_viewer_who_leaves_first_has_no_status(response: Response | None) -> None:
    fields = fields_of(exchange(aborted=True, bytes_sent=0, response=response))
    assert fields["sc-status"] == "000"
    assert fields["sc-bytes"] == "0"


@pytest.mark.parametrize(
    ("scheme", "status", "protocol"),
    [("http", 200, "http"), ("https", 200, "https"), ("http", 101, "ws"), ("https", 101, "wss")],
)
def test_protocols(scheme: Any, status: int, protocol: str) -> None:
    done = exchange(viewer=Viewer("192.0.2.7", scheme=scheme), response=Response(status))
    assert fields_of(done)["cs-protocol"] == protocol


@pytest.mark.parametrize(
    ("method", "status", "headers", "body", "text"),
    [
        ("GET", 200, Headers(), BytesBody(b"abc"), "3"),
        ("GET", 200, Headers(), StreamBody(_no_chunks(), 7), "7"),
        ("GET", 200, Headers([("Content-Length", "9")]), StreamBody(_no_chunks()), "-"),
        ("HEAD", 200, Headers([("Content-Length", "9")]), EMPTY_BODY, "9"),
        ("HEAD", 200, Headers(), BytesBody(b"abc"), "3"),
        ("HEAD", 200, Headers(), EMPTY_BODY, "-"),
        ("GET", 304, Headers(), EMPTY_BODY, "-"),
        ("DELETE", 204, Headers(), EMPTY_BODY, "-"),
    ],
)
def test_the_content_length_is_the_one_sent(
    method: str, status: int, headers: Headers, body: Any, text: str
) -> None:
    done = exchange(method=method, response=Response(status, headers, body))
    assert fields_of(done)["sc-content-len"] == text


@pytest.mark.parametrize(
    ("content_range", "expected"),
    [("bytes 0-99/1000", ("0", "99")), ("bytes 5-5/*", ("5", "5")), ("bytes */1000", ("-", "-"))],
)
def test_ranges_are_those_of_the_response(content_range: str, expected: tuple[str, str]) -> None:
    done = exchange(
        headers=Headers([("Range", "bytes=0-"), ("Host", "a")]),
        response=Response(206, Headers([("Content-Range", content_range)])),
    )
    fields = fields_of(done)
    assert (fields["sc-range-start"], fields["sc-range-end"]) == expected


def test_only_distributions_are_logged(log: AccessLog, path: Path) -> None:
    log.ended(exchange(door="function-url", name="Api"))
    assert len(path.read_text().splitlines()) == 2


def test_an_existing_file_is_continued_without_a_second_head(path: Path) -> None:
    for _ in range(2):
        log = AccessLog(path, "SEA19-C1", {"Site": DOMAIN}.__getitem__)
        log.ended(exchange())
        log.close()
    lines = path.read_text().splitlines()
    assert len(lines) == 4
    assert [line.startswith("#") for line in lines] == [True, True, False, False]


def test_a_line_is_in_the_file_at_once(log: AccessLog, path: Path) -> None:
    log.ended(exchange())
    assert path.read_text().endswith("\t-\t-\n")


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none"):
        AccessLog(tmp_path / "none" / "access.log", "SEA19-C1", str)


def test_a_pipe_will_do_and_its_end_costs_lines_and_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(pipe, "SEA19-C1", str)
    assert os.read(reader, 65536).startswith(b"#Version: 1.0\n#Fields: date ")
    os.close(reader)
    log.ended(exchange())
    log.close()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "a line of the access log is lost: Broken pipe"
