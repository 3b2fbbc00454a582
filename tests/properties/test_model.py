"""The edge and a simple model of it, side by side: random viewers, clock steps and origins.

Everything goes over sockets to a real origin; only the clock stands still between the steps. A
failure is shown as the shortest program found, with the blob that plays it again.
``EDGEPROXY_MODEL_RUNS`` sets how many programs are tried.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from edgeproxy.clock import Clock
from edgeproxy.testing import Edge, Site, SiteResponse
from tests.properties.model import (
    CONTROLS,
    DEFAULT_TTL_S,
    MAX_TTL_S,
    MIN_TTL_S,
    Model,
    Predicted,
)
from tests.support.delivery import cache_policy, definition, error_page
from tests.support.origin import Answer, Got, Origin, running_origin

START = 1_800_000_000.0
RUNS = int(os.environ.get("EDGEPROXY_MODEL_RUNS", "25"))
_CROWD = 3
# Mostly one object, so that its steps come together.
_PATHS = ("/a", "/a", "/a", "/min/a", "/ab")
targets = st.sampled_from([*_PATHS, "/a?q=1"])
parts = st.tuples(st.integers(0, 40), st.integers(0, 10)).map(lambda p: (p[0], p[0] + p[1]))


@pytest.fixture(scope="module")
def still() -> Iterator[None]:
    """Time stands still unless a test moves it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clock, "now", lambda clock: START + clock.offset_s)
        yield


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with running_origin() as running:
        yield running


@pytest.fixture(scope="module")
def site(still: None, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def behavior(min_ttl: int) -> dict[str, object]:
        return {"cache": cache_policy(min_ttl, DEFAULT_TTL_S, MAX_TTL_S, query="all")}

    template = tmp_path_factory.mktemp("model") / "template.json"
    template.write_text(
        json.dumps(
            definition(
                behavior(0),
                {"/min/*": behavior(MIN_TTL_S)},
                CustomErrorResponses=[error_page(503, ttl=5)],
            )
        )
    )
    with Edge() as edge:
        yield edge.serve(template, origins={"web": origin.url})


class Viewers(RuleBasedStateMachine):
    """Steps that model and edge take together."""

    site: Site
    origin: Origin

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(now=self.site.running.program.clock.now())
        self.site.invalidate("/*")
        self.origin.answer = self._answer

    def _answer(self, got: Got) -> Answer:
        """The model's page, as an origin that knows conditions and no ranges."""
        page = self.model.page(got.target)
        headers = {"Cache-Control": page.control} if page.control else {}
        if page.etag:
            headers["ETag"] = page.etag
        if page.status == 502:
            raise ConnectionAbortedError
        if got.method != "POST" and page.etag and got.header("If-None-Match") == page.etag:
            return Answer(304, headers)
        return Answer(page.status, headers, page.body)

    @rule(
        method=st.sampled_from(["GET", "GET", "GET", "HEAD", "POST"]),
        url=targets,
        tag=st.sampled_from(["", "", "current", "earlier"]),
        part=st.none() | parts,
    )
    def ask(self, method: str, url: str, tag: str, part: tuple[int, int] | None) -> None:
        version = self.model.page(url).version
        etag = {"current": f'"{version}"', "earlier": f'"{version - 1}"'}.get(tag, "")
        if method == "POST":
            etag, part = "", None
        headers = {"If-None-Match": etag} if etag else {}
        if part is not None:
            headers["Range"] = f"bytes={part[0]}-{part[1]}"
        asked = len(self.origin.got)
        got = _seen(self.site.request(method, url, headers=headers))
        self.landed()
        expected = self.model.ask(method, url, tag=etag, part=part)
        assert got == _told(expected)
        if self.model.page(url).status != 502:  # a request that broke is sent again
            assert len(self.origin.got) - asked == expected.asks

    @rule(url=targets)
    def ask_at_once(self, url: str) -> None:
        """Several viewers together get what they would get one after another."""
        if self.model.is_revalidated_aside(url):
            return  # whether one sees the old or the new object is chance
        asked = len(self.origin.got)
        with ThreadPoolExecutor(_CROWD) as pool:
            got = [_seen(one) for one in pool.map(self.site.get, [url] * _CROWD)]
        self.landed()
        expected = [self.model.ask("GET", url) for _ in range(_CROWD)]
        if sum(one.asks for one in expected) > 1:
            # Not to be shared: each asks, and who comes before an answer has no object to check.
            assert {one[1:3] for one in got} == {_told(one)[1:3] for one in expected}
            return
        assert sorted(got, key=repr) == sorted(map(_told, expected), key=repr)
        if self.model.page(url).status != 502:
            assert len(self.origin.got) - asked == expected[0].asks

    def landed(self) -> None:
        """Until no fetch is under way, in the background included."""
        self.site._edge.call(_landed())

    @rule(seconds=st.sampled_from([1, 2, 5, 10, 15, 40, 500, 1000]))
    def wait(self, seconds: int) -> None:
        self.site.running.program.clock.advance(seconds)
        self.model.now += seconds

    @rule(pattern=st.sampled_from(["/*", "/a", "/a*", "/a?q=1", "/min/*", "/none"]))
    def invalidate(self, pattern: str) -> None:
        assert self.site.invalidate(pattern) == self.model.invalidate(pattern)

    @rule(
        path=st.sampled_from(_PATHS),
        is_new=st.booleans(),
        control=st.sampled_from(sorted(CONTROLS)),
        tagged=st.sampled_from([True, True, False]),
        status=st.sampled_from([200, 200, 200, 403, 404, 410, 500, 502, 503, 503]),
    )
    def publish(self, path: str, is_new: bool, control: str, tagged: bool, status: int) -> None:
        page = self.model.page(path)
        if status == 502:
            control = ""  # nothing comes that could say it
        self.model.pages[path] = replace(
            page, version=page.version + is_new, control=control, tagged=tagged, status=status
        )


async def _landed() -> None:
    while flights := [t for t in asyncio.all_tasks() if t.get_name().startswith("fetch of ")]:
        await asyncio.wait(flights)


def _seen(got: SiteResponse) -> tuple[str, int, bytes, int | None]:
    age = got.headers.get("Age")
    body = b"" if got.status == 502 else got.body
    return got.x_cache.removesuffix(" from cloudfront"), got.status, body, int(age) if age else None


def _told(by_model: Predicted) -> tuple[str, int, bytes, int | None]:
    body = b"" if by_model.status == 502 else by_model.body
    return by_model.x_cache, by_model.status, body, by_model.age_s


@pytest.mark.rule(
    "CDN-COL-01", "CDN-COL-07", "CDN-VAL-03", "CDN-VAL-04", "CDN-VAL-05", "CDN-VAL-06",
    "CDN-VAL-09", "CDN-VAL-10", "CDN-VAL-11", "CDN-VAL-16", "CDN-INV-03", "CDN-INV-04",
    "CDN-INV-15", "CDN-MTH-07", "CDN-RNG-03",
)  # fmt: skip
def test_the_edge_does_what_the_model_says(site: Site, origin: Origin) -> None:
    Viewers.site, Viewers.origin = site, origin
    run_state_machine_as_test(
        Viewers,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=40,
            deadline=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.rule("CDN-VAL-04")
def test_a_version_that_may_not_be_stored_takes_the_older_one_with_it(
    site: Site, origin: Origin
) -> None:
    Viewers.site, Viewers.origin = site, origin
    viewers = Viewers()
    viewers.publish("/a", True, "max-age=0", True, 200)
    viewers.ask("GET", "/a", "", None)
    viewers.publish("/a", True, "no-store", False, 200)
    viewers.ask("GET", "/a", "", None)
    viewers.publish("/a", False, "private, max-age=20", True, 503)
    viewers.ask("GET", "/a", "", None)
    viewers.invalidate("/a")
