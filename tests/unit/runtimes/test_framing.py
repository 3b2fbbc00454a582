import pytest

from edgeproxy.runtimes.framing import (
    LARGEST_RESULT,
    BrokenFrame,
    FrameReader,
    Kind,
    encode_invocation,
)


def frame(kind: bytes, body: bytes) -> bytes:
    return (len(body) + 1).to_bytes(4, "big") + kind + body


def test_an_invocation_is_lines_and_a_payload() -> None:
    data = encode_invocation("id", 1700, 0.5, "arn", "trace", "blue", '{\n"é": 1}', b"[1]")
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    size = int.from_bytes(data[4:8], "big")
    assert data[8 : 8 + size].decode() == 'id\n1700\n0.5\narn\ntrace\nblue\n{\n"é": 1}'
    assert data[8 + size :] == b"[1]"


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_frames_may_come_in_any_pieces(step: int) -> None:
    data = frame(b"A", b"3.12") + frame(b"R", b"{}") + frame(b"E", b"")
    reader = FrameReader()
    found = []
    for start in range(0, len(data), step):
        found += reader.feed(data[start : start + step])
    assert found == [(Kind.READY, b"3.12"), (Kind.RESULT, b"{}"), (Kind.ERROR, b"")]


def test_what_is_said_again_is_kept_once() -> None:
    reader = FrameReader()
    (_, first), (_, other), (_, again), (_, same) = (
        reader.feed(frame(b"R", body))[0] for body in (b"said", b"other", b"said", b"said")
    )
    assert [first, other, again, same] == [b"said", b"other", b"said", b"said"]
    assert same is again


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"\0\0\0\0A",
        b"\0\0\0\x02?x",
        (LARGEST_RESULT + 2).to_bytes(4, "big") + b"R",
    ],
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        FrameReader().feed(data)
