"""A response in pieces, and who is held back by whom."""

from edgeproxy.runtimes.streaming import ResponseStream
from tests.support.custom_runtimes import Sink


class Flow:
    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")


def test_pieces_go_to_the_sink_or_are_kept() -> None:
    sink = Sink()
    heard = ResponseStream(sink, "text/plain", Flow())
    kept = ResponseStream(None, "text/plain", Flow())
    for stream in (heard, kept):
        stream.data(b"a")
        stream.data(b"b")
    assert (heard.complete(), kept.complete()) == (b"", b"ab")
    assert sink.told == ["text/plain", b"a", b"b", "ended"]


def test_what_is_over_the_limit_goes_nowhere() -> None:
    stream = ResponseStream(None, "", Flow())
    stream.data(bytes(6291556))
    assert stream.fits
    stream.data(b"x")
    assert not stream.fits
    assert len(stream.complete()) == 6291556


def test_who_is_slow_holds_nothing_back_beyond_the_end() -> None:
    sink, flow = Sink(), Flow()
    stream = ResponseStream(sink, "", flow)
    assert sink.flow is stream
    stream.pause()
    stream.close()
    stream.pause()
    stream.resume()
    assert flow.told == ["pause", "resume"]
