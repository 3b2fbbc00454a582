"""How a process of ours is started: as the leader of a session of its own, marked for the warden.

So signals of the terminal do not reach it, and its children die with it. Beside its output it
inherits one descriptor, if it is ``framed``, and nothing else.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from edgeproxy.runtimes.warden import MARK, Warden

__all__ = ["launch"]

_SCRIPT: Final = (
    f'ulimit -c 0; ulimit -n 1024; exec 3<&0 0</dev/null; export {MARK}="$1/$$/"; shift; exec "$@"'
)
"""No core files in the user's folders; AWS's limit on open files (LR-192); the channel as 3."""

_SCRIPT_FREE: Final = _SCRIPT.replace("exec 3<&0 0</dev/null", "exec 0</dev/null")
"""The same for programs that speak the Runtime API: they have no channel."""


def launch(
    command: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    warden: Warden,
    channel: int,
    output: int = subprocess.PIPE,
    *,
    framed: bool = True,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in ``folder``. Raises ``OSError``.

    ``channel`` is what it finds as descriptor 3, if it is ``framed``.
    """
    script = _SCRIPT if framed else _SCRIPT_FREE
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", str(warden.folder), *command],
        stdin=channel,
        stdout=output,
        stderr=output,
        bufsize=0,
        cwd=folder,
        env=environ,
        start_new_session=True,
    )
