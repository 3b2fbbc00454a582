"""Downloads in parts: whatever is asked for in whatever order, no answer mixes two versions.

The origin knows ranges, and the edge may keep parts, put them together or fetch more than it was
asked for. What a viewer gets is always a slice of one version, with that version's own ETag.
``EDGEPROXY_MODEL_RUNS`` sets how many programs are tried.
"""

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from edgeproxy.clock import Clock
from edgeproxy.http.ranges import ByteRange, parse_content_range, parse_ranges
from edgeproxy.testing import Edge, Site, SiteResponse
from tests.properties.test_model import RUNS, START
from tests.support.delivery import cache_policy, definition
from tests.support.origin import Answer, Got, Origin, running_origin

_LONGEST_S = 1000
places = st.integers(0, 70)
ranges = st.one_of(
    st.tuples(places, st.integers(0, 40)).map(lambda two: f"bytes={two[0]}-{sum(two)}"),
    places.map("bytes={}-".format),
    st.integers(1, 70).map("bytes=-{}".format),
)


def content(version: int) -> bytes:
    """The bytes of a version: no two near each other agree in any place, or in size."""
    return bytes((version * 7 + place) % 256 for place in range(40 + version % 20))


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with running_origin() as running:
        yield running


@pytest.fixture(scope="module")
def site(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    template = tmp_path_factory.mktemp("downloads") / "template.json"
    policy = cache_policy(0, 40, _LONGEST_S)
    template.write_text(json.dumps(definition({"cache": policy})))
    with pytest.MonkeyPatch.context() as patch, Edge() as edge:
        patch.setattr(Clock, "now", lambda clock: START + clock.offset_s)
        yield edge.serve(template, origins={"web": origin.url})


class Downloads(RuleBasedStateMachine):
    """Viewers, a clock, and an origin that publishes new versions."""

    site: Site
    origin: Origin

    def __init__(self) -> None:
        super().__init__()
        self.version = self.oldest = 0
        self.control = ""
        self.tagged = True
        self.site.invalidate("/*")
        self.origin.answer = self._answer

    def _answer(self, got: Got) -> Answer:
        etag, whole = f'"{self.version}"', content(self.version)
        headers = {"Cache-Control": self.control} if self.control else {}
        if self.tagged:
            headers["ETag"] = etag
            if got.header("If-None-Match") == etag:
                return Answer(304, headers)
        asked = got.header("Range")
        if asked is None or (got.header("If-Range") or etag) != etag:
            return Answer(200, headers, whole)
        match parse_ranges(asked, len(whole)):
            case (part,):
                headers["Content-Range"] = f"bytes {part.first}-{part.last}/{len(whole)}"
                return Answer(206, headers, part.of(whole))
            case None:
                return Answer(200, headers, whole)
            case _:
                return Answer(416, {"Content-Range": f"bytes */{len(whole)}"})

    @rule()
    def download(self) -> None:
        got = self.site.get("/film")
        assert got.status == 200
        assert got.body == content(self._version_of(got, got.body))

    @rule(asked=ranges, condition=st.sampled_from(["", "", "current", "earlier"]))
    def download_a_part(self, asked: str, condition: str) -> None:
        headers = {"Range": asked}
        if condition:
            headers["If-Range"] = f'"{self.version - (condition == "earlier")}"'
        got = self.site.get("/film", headers=headers)
        if got.status == 416:
            return
        if got.status == 200:
            assert got.body == content(self._version_of(got, got.body))
            return
        assert got.status == 206
        placed = parse_content_range(got.headers.get("Content-Range"))
        assert placed is not None
        part, size = placed
        whole = content(self._version_of(got, got.body, part.first))
        assert (size, got.body) == (len(whole), part.of(whole))
        assert (part,) == parse_ranges(asked, size)

    @rule(seconds=st.sampled_from([1, 5, 10, 40, _LONGEST_S]))
    def wait(self, seconds: int) -> None:
        self.site.running.program.clock.advance(seconds)
        if seconds == _LONGEST_S:
            self.oldest = self.version

    @rule(
        is_new=st.booleans(),
        control=st.sampled_from(["", "max-age=10", "max-age=0", "no-store", "no-cache"]),
        tagged=st.sampled_from([True, True, False]),
    )
    def publish(self, is_new: bool, control: str, tagged: bool) -> None:
        self.version += is_new
        self.control, self.tagged = control, tagged

    @rule()
    def invalidate(self) -> None:
        self.site.invalidate("/film")
        self.oldest = self.version

    def _version_of(self, got: SiteResponse, body: bytes, first: int = 0) -> int:
        """The version that was served: the tag names it, or else the bytes give it away."""
        by_bytes = [
            version
            for version in range(self.oldest, self.version + 1)
            if ByteRange(first, first + len(body) - 1).of(content(version)) == body
        ]
        assert by_bytes, f"of no version from {self.oldest} to {self.version}, or of several"
        if "ETag" in got.headers:
            assert got.headers.get("ETag") == f'"{by_bytes[0]}"'
        return by_bytes[0]


@pytest.mark.rule("CDN-RNG-09", "CDN-INV-15")
def test_no_answer_mixes_two_versions(site: Site, origin: Origin) -> None:
    Downloads.site, Downloads.origin = site, origin
    run_state_machine_as_test(
        Downloads,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=40,
            deadline=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
