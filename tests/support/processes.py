"""What has become of processes that are nobody's children here."""

import subprocess

__all__ = ["is_alive"]


def is_alive(pid: int) -> bool:
    """Whether there is such a process; one that only waits to be noticed by its parent is not."""
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return bool(state) and not state.startswith("Z")
