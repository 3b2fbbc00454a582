"""The formats of CloudFront's logs, and how values are encoded in them."""

import csv
import json

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS, LogDelivery, LogFormat
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.headers import Headers
from edgeproxy.observe.log_fields import LogSource, Record
from edgeproxy.observe.log_formats import Layout, delivered, escape_field, real_time
from tests.unit.exchange.records import exchange
from tests.unit.observe.distributions import distribution


def record(done: Exchange) -> Record:
    return LogSource({"Site": distribution()}.get, "SEA19-C1").record(done)


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
        ("Mozilla/5.0 (X11; a) b", "Mozilla/5.0%20(X11;%20a)%20b"),
        ("a %20b", "a%20%2520b"),
        ("%22", "%2522"),
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
@pytest.mark.parametrize("output", [each for each in LogFormat if each is not LogFormat.PARQUET])
def test_nothing_a_viewer_sends_breaks_a_line(output: LogFormat) -> None:
    evil = "\t\n\r\x0b\x0c\x1c\x85\u2028\udcff"
    headers = Headers([(name, evil) for name in ("Host", "Referer", "User-Agent", "Cookie")])
    done = exchange(path="/" + evil, query=evil, headers=headers)
    (line,) = Layout(STANDARD_FIELDS, output).text([record(done)]).splitlines()
    assert line.isascii()
    if output is LogFormat.JSON:
        assert len(json.loads(line)) == 33
    else:
        (row,) = csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE)
        assert len(row) == 33


@pytest.mark.parametrize(
    ("output", "head", "line"),
    [
        (LogFormat.W3C, "#Version: 1.0\n#Fields: cs-method sc-status\n", "GET|200\n"),
        (LogFormat.PLAIN, "", "GET|200\n"),
        (LogFormat.RAW, "", "GET|200\n"),
        (LogFormat.JSON, "", '{"cs-method":"GET","sc-status":"200"}\n'),
    ],
)
def test_formats(output: LogFormat, head: str, line: str) -> None:
    layout = delivered(LogDelivery("logs", output, ("cs-method", "sc-status"), "|"))
    assert (layout.head, layout.text([record(exchange())] * 2)) == (head, line * 2)


@pytest.mark.rule("CDN-RTL-01")
def test_real_time_logs_have_their_own_order_and_tabs() -> None:
    layout = real_time(["c-country", "sc-status", "timestamp"])
    assert layout.fields == ("timestamp", "sc-status", "c-country")
    assert layout.head == ""
    assert layout.text([record(exchange())]) == "1795233032.373\t200\t-\n"
