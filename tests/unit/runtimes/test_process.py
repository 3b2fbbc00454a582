import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeproxy.runtimes.framing import Kind
from edgeproxy.runtimes.process import Worker
from edgeproxy.runtimes.warden import Warden


class Owner:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[tuple[Kind, bytes]] = []
        self.output: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def frame_received(self, kind: Kind, body: bytes) -> None:
        self.frames.append((kind, body))

    def output_received(self, stream: str, data: bytes) -> None:
        self.output[stream] += data

    def worker_ended(self, status: int) -> None:
        self.status.set_result(status)


@pytest.fixture
def warden(tmp_path: Path) -> Iterator[Warden]:
    warden = Warden(tmp_path / "scratch")
    yield warden
    warden.close()


def start(warden: Warden, folder: Path, code: str) -> tuple[Owner, Worker]:
    owner = Owner()
    command = [sys.executable, "-S", "-c", f"import os, sys\n{code}"]
    return owner, Worker(owner, command, folder, {"A": "b"}, warden)


async def test_the_end_is_seen_without_process_descriptors(
    tmp_path: Path, warden: Warden, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(pid: int) -> int:
        raise PermissionError(f"a sandbox does not let anybody open {pid}")

    monkeypatch.setattr(os, "pidfd_open", refused, raising=False)
    owner, _ = start(warden, tmp_path, "sys.exit(3)")
    assert await owner.status == 3


async def test_a_worker_has_a_channel_streams_a_folder_and_variables(
    tmp_path: Path, warden: Warden
) -> None:
    code = """
data = os.read(3, 100)
os.write(3, (len(data) + 1).to_bytes(4, "big") + b"R" + data)
os.write(1, os.getcwd().encode())
os.write(2, repr(sorted(set(os.environ) - {"PWD", "SHLVL", "_", "OLDPWD"})).encode())
sys.exit(os.read(0, 1) != b"")
"""
    owner, worker = start(warden, tmp_path, code)
    worker.send(b"ping")
    assert await owner.status == 0
    assert owner.frames == [(Kind.RESULT, b"ping")]
    assert owner.output["stdout"] == str(tmp_path).encode()
    assert b"'A'" in owner.output["stderr"]
    assert worker.ended.done()


async def test_a_frame_larger_than_the_sockets_buffer_arrives(
    tmp_path: Path, warden: Warden
) -> None:
    code = """
size = 0
while size < 6_000_000:
    size += len(os.read(3, 65536))
sys.exit(7)
"""
    owner, worker = start(warden, tmp_path, code)
    for _ in range(6):
        worker.send(b"x" * 1_000_000)
    assert await owner.status == 7


async def test_garbage_on_the_channel_ends_the_worker(tmp_path: Path, warden: Warden) -> None:
    owner, _ = start(warden, tmp_path, "os.write(3, b'garbage'); os.read(3, 1)")
    assert await owner.status == -9
    assert owner.frames == []


async def test_an_abandoned_worker_tells_nothing(tmp_path: Path, warden: Warden) -> None:
    owner, worker = start(warden, tmp_path, "os.read(3, 1)")
    worker.abandon()
    await worker.ended
    worker.send(b"too late")
    assert not owner.status.done()


async def test_a_missing_folder_is_an_error(tmp_path: Path, warden: Warden) -> None:
    with pytest.raises(FileNotFoundError):
        start(warden, tmp_path / "nowhere", "")
