import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from edgeproxy.runtimes import memory
from edgeproxy.runtimes.bootstrap.sweeper import end
from edgeproxy.runtimes.memory import MemoryWatch, sample
from edgeproxy.runtimes.warden import MARK

CHILD = "kept = b'x' * 30_000_000; print(1, flush=True); import time; time.sleep(60)"
PARENT = f"""
import subprocess, sys
for _ in range(2):
    subprocess.Popen([sys.executable, "-c", {CHILD!r}])
exec({CHILD!r})
"""
MB = 1024 * 1024


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    """A process of more than 30 MB with two children like it."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        yield process
        os.killpg(process.pid, signal.SIGKILL)


def test_a_group_is_counted_whole(family: subprocess.Popen[bytes]) -> None:
    usage = sample(family.pid, thorough=False)
    assert usage is not None
    assert usage.processes == 3
    assert 90 * MB < usage.resident < 200 * MB


def test_the_portable_way_says_much_the_same(
    family: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    usage = sample(family.pid, thorough=False)
    assert usage is not None
    assert usage.processes == 3
    assert 90 * MB < usage.resident < 200 * MB
    assert sample(2**22 + 1, thorough=False) is None


def test_one_listing_serves_all_workers(
    family: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(memory, "SAMPLE_PERIOD_S", 60)
    assert sample(family.pid, thorough=False) is not None
    monkeypatch.setattr(subprocess, "run", None)
    assert sample(family.pid, thorough=False) is not None
    assert sample(os.getpgrp(), thorough=False) is not None


@pytest.mark.rule("LR-089")
def test_a_group_is_held_against_the_setting(family: subprocess.Popen[bytes]) -> None:
    small, large = MemoryWatch(64), MemoryWatch(512)
    assert large.look(family.pid)
    assert 90 < large.peak_mb < 200
    # Below 128 MB nothing could run here, so that much is always allowed.
    assert small.look(family.pid) is (large.peak_mb <= 128)


@pytest.mark.rule("LR-192")
def test_processes_are_limited(
    family: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MOST_PROCESSES", 3)
    assert MemoryWatch(512).look(family.pid)
    monkeypatch.setattr(memory, "_MOST_PROCESSES", 2)
    assert not MemoryWatch(512).look(family.pid)


def test_what_has_gone_uses_nothing() -> None:
    watch = MemoryWatch(128)
    assert watch.look(2**22 + 1)
    assert watch.peak_mb == 0


def test_what_was_too_much_is_said(
    family: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = MemoryWatch(512)
    assert watch.look(family.pid)
    assert watch.excess == ""
    monkeypatch.setattr(memory, "_MOST_PROCESSES", 1)
    assert not watch.look(family.pid)
    assert watch.excess == "3 processes and threads, over Lambda's limit of 1"


THREADS = """
import threading, time
for _ in range(5):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print(1, flush=True)
time.sleep(60)
"""
ESCAPED = """
import os, time
from edgeproxy.runtimes.warden import MARK
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        kept = b"x" * 30_000_000
        print(1, flush=True)
        time.sleep(60)
    os._exit(0)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows threads and variables")
@pytest.mark.parametrize(("code", "processes", "least_mb"), [(THREADS, 6, 5), (ESCAPED, 2, 30)])
def test_threads_and_children_that_left_the_session_count(
    code: str, processes: int, least_mb: int
) -> None:
    # The mark names the worker by its own number, which only the shell before it knows.
    launch = f'export {MARK}="/folder/$$/"; exec "$@"'
    with subprocess.Popen(
        ["/bin/sh", "-c", launch, "sh", sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        usage = sample(process.pid, thorough=True)
        end(f"{MARK}=/folder/{process.pid}/".encode())
    assert usage is not None
    assert usage.processes == processes
    assert usage.resident > least_mb * MB


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one listing has all figures")
def test_of_many_children_some_stand_for_all(
    family: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MOST_MEASURED", 1)
    usage = sample(family.pid, thorough=False)
    assert usage is not None
    assert 90 * MB < usage.resident < 200 * MB
