"""What a watch makes of requests as they end."""

import gzip
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import brotli
import orjson
import pytest

from edgeproxy.exchange.model import Decision, Exchange, Step
from edgeproxy.experiments import watching
from edgeproxy.experiments.model import Experiment, Mark, MarkKind
from edgeproxy.experiments.watching import Watch
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Played, Request, Response, Viewer
from tests.unit.exchange.records import exchange

SHARES = {"a": 0.5, "b": 0.5}
BY_COOKIE = Experiment("x", Mark(MarkKind.COOKIE, "ab"), SHARES)
BY_BODY = Experiment(
    "x", Mark(MarkKind.COOKIE, "ab"), SHARES, Mark(MarkKind.BODY, "", {"a": "old", "b": "new"})
)


def came(
    who: str,
    cookie: str = "",
    *,
    gets: str = "",
    made: bool = False,
    body: bytes = b"",
    encoding: str = "",
    played: Played | None = None,
    **more: Any,
) -> Exchange:
    """A request of an address; ``made``: the origin was asked, with that very cookie."""
    lines = [("Cookie", f"ab={cookie}")] if cookie else []
    answer = [("X-Cache", "Miss from cloudfront" if made else "Hit from cloudfront")]
    answer += [("Set-Cookie", gets)] if gets else []
    answer += [("Content-Encoding", encoding)] if encoding else []
    steps = [
        Step("cache", 0, decision=Decision("Hit", "", {"key": [{"part": "path", "value": "/"}]}))
    ]
    if made:
        steps.append(Step("origin", 0, before=Request("GET", "/", headers=Headers(lines))))
    return exchange(
        headers=Headers([("Host", "site"), *lines]),
        path="/",
        viewer=Viewer(who, played=played),
        response=Response(200, Headers(answer), BytesBody(body)),
        result_type="Miss" if made else "Hit",
        origin_id="web" if made else "",
        cache_key=b"key",
        steps=steps,
        **more,
    )


def watch(experiment: Experiment, *batches: Iterable[Exchange]) -> Watch:
    watch = Watch(experiment, "Site")
    for batch in batches:
        watch.take(batch)
    return watch


def test_who_waited_for_an_object_may_end_before_the_one_who_had_it_made() -> None:
    seen = watch(BY_COOKIE, [came("1", "b"), came("2", "a", made=True), came("3", "a")])
    assert seen.summary()["leaks_by_sides"] == [{"made_for": "a", "got_by": "b", "responses": 1}]
    (leak,) = seen.leaks
    assert (leak.who, leak.example.key) == ("1", (("path", "/"),))


def test_an_object_that_is_made_anew_is_that_of_its_last_maker() -> None:
    first = [came("1", "a", made=True), came("2", "a")]
    seen = watch(BY_COOKIE, [*first, came("3", "b", made=True), came("4", "b")], [came("5", "b")])
    assert seen.summary()["leaks"] == 0


def test_visitors_are_told_apart_by_address_and_agent() -> None:
    phone = came("1", "b")
    phone.request = phone.request.with_headers(
        phone.request.headers.with_set("User-Agent", "phone")
    )
    seen = watch(BY_COOKIE, [came("1", "a"), came("1", "a"), phone, came("2")])
    summary = seen.summary()
    assert (summary["visitors"], summary["assigned"], summary["unassigned"]) == (3, 2, 1)
    assert [each["variant"] for each in seen.paths()] == [None, "b", "a"]
    assert [len(each["stations"]) for each in seen.paths()] == [1, 1, 2]


def test_values_that_are_no_variants_are_told() -> None:
    seen = watch(BY_COOKIE, [came("1", "c"), came("1", "c"), came("2", "c"), came("3", "a")])
    summary = seen.summary()
    assert (summary["unassigned"], summary["undeclared"]) == (2, {"c": 2})


def test_the_cookie_of_an_answer_counts_from_then_on() -> None:
    seen = watch(BY_COOKIE, [came("1", gets="ab=a; Path=/"), came("1", "a", gets="ab=b")])
    summary = seen.summary()
    assert (summary["variants"][0]["visitors"], summary["switches"]) == (1, 1)
    stations = seen.paths()[0]["stations"]
    assert [(each["variant"], each["switched"]) for each in stations] == [("a", False), ("b", True)]
    for ends in ("Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"):
        ended = watch(BY_COOKIE, [came("1", "a", gets=f"ab=; Path=/; {ends}")])
        assert ended.summary()["unassigned"] == 1


def test_who_is_put_on_a_side_is_no_visitor_but_may_get_a_leak() -> None:
    forced = Played("anna", "x", "b")
    plain = Played("ben")
    seen = watch(
        BY_COOKIE,
        [came("1", "a", made=True, played=plain), came("1", "b", played=forced)],
        [came("1", "b", played=Played("carl", "other", "b"))],
    )
    summary = seen.summary()
    assert (summary["visitors"], summary["leaks"], summary["switches"]) == (2, 2, 0)
    assert [(each["visitor"], each["forced"]) for each in seen.paths()] == [
        ("carl", False),
        ("anna", True),
        ("ben", False),
    ]


def test_other_doors_are_not_counted_and_staging_is_that_of_its_primary() -> None:
    seen = watch(
        BY_COOKIE,
        [
            came("1", "a", name="Other"),
            came("2", "b", name="Next", primary="Site"),
            came("3", "b", door="invoke"),
        ],
    )
    assert seen.summary()["visitors"] == 1


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"the new shop", ""),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff+\xc9HU\xc8K-W(\xce\xc8/\x00", "gzip"),
        (b"\x0b\x05\x80the new shop\x03", "br"),
    ],
)
def test_a_compressed_body_tells_its_side(body: bytes, encoding: str) -> None:
    seen = watch(BY_BODY, [came("1", "a", body=body, encoding=encoding)])
    assert seen.summary()["leaks_by_sides"] == [{"made_for": "b", "got_by": "a", "responses": 1}]


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_of_a_body_that_grows_beyond_measure_the_beginning_is_read(encoding: str) -> None:
    compress = {"gzip": gzip.compress, "br": brotli.compress}[encoding]
    body = compress(b"the new shop" + b" " * 3_000_000)
    tracemalloc.start()
    try:
        seen = watch(BY_BODY, [came("1", "a", body=body, encoding=encoding)])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen.summary()["leaks"] == 1
    assert most < 1_000_000


def test_a_body_that_cannot_be_read_tells_nothing() -> None:
    seen = watch(BY_BODY, [came("1", "a", body=b"new", encoding=each) for each in ("gzip", "br")])
    assert (seen.summary()["leaks"], seen.summary()["assigned"]) == (0, 1)


def test_a_viewer_who_has_left_counts_as_an_error() -> None:
    gone = came("1", "a")
    gone.response = None
    assert watch(BY_COOKIE, [gone]).summary()["variants"][0]["errors"] == 1


def test_cookies_are_kept_of_each_side_where_its_mark_only_shows_it() -> None:
    shown = Experiment("x", Mark(MarkKind.BODY, "", {"a": "old", "b": "new"}), SHARES)
    forced = Played("anna", "x", "b")
    seen = watch(
        shown,
        [
            came("1", "0", body=b"old", gets="s=1; Path=/"),
            came("2", body=b"new"),
            came("3", "2", body=b"new", gets="ab=3; Path=/"),
            came("4", "4", body=b"new", played=forced),
        ],
    )
    assert seen.cookies == {"a": "ab=0; s=1", "b": "ab=3"}
    assert watch(BY_COOKIE, [came("1", "a")]).cookies == {}


def test_what_is_no_unicode_is_shown_as_json_can_carry_it() -> None:
    by_header = replace(BY_COOKIE, exposure=Mark(MarkKind.RESPONSE_HEADER, "X-Side"))
    odd = came("\udcff", "\udcff")
    leaked = came("1", "a")
    for each in (odd, leaked):
        assert each.response is not None
        each.response = each.response.with_headers(Headers([("X-Side", "\udcff")]))
    seen = watch(by_header, [odd, leaked])
    document = orjson.loads(orjson.dumps([seen.summary(), seen.paths()]))
    assert document[0]["undeclared"] == {"\u00ff": 1}
    assert document[0]["leaks_by_sides"][0]["made_for"] == "\u00ff"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_VISITORS", 2)
    monkeypatch.setattr(watching, "_PATHS", 1)
    seen = watch(BY_COOKIE, [came(each, "a") for each in ("1", "2", "1", "3", "1", "2")])
    assert seen.summary()["visitors"] == 4  # The second was forgotten, and is new.
    assert [each["visitor"] for each in seen.paths()] == ["2"]
    many = watch(BY_COOKIE, [came("1", "a") for _ in range(100)])
    assert [len(each["stations"]) for each in many.paths()] == [40]


def test_wrong_shares_are_said() -> None:
    right = watch(BY_COOKIE, [came(str(each), "ab"[each % 2]) for each in range(100)])
    wrong = watch(BY_COOKIE, [came(str(each), "a") for each in range(100)])
    assert [each.summary()["shares_are_off"] for each in (right, wrong)] == [False, True]
