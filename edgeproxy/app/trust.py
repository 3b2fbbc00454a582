"""``edgeproxy trust``: the local authority's certificate in the places where browsers look.

What belongs to the user alone is changed: the user's databases of certificates (Linux), the login
keychain (macOS). The system's own store is only told about: that takes a decision, and sudo.
Nothing is changed without a line that says so and how to undo it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from edgeproxy.app.secure_doors import authority_folder
from edgeproxy.clock import Clock
from edgeproxy.errors import UsageError
from edgeproxy.server.authority import Authority, certificate_in

__all__ = ["Place", "by_hand", "local_authority", "places", "trusted_certificate"]

_NAME: Final = "edgeproxy local authority"
_COMMAND_S: Final = 60
_DEBIAN: Final = Path("/usr/local/share/ca-certificates")
_FEDORA: Final = Path("/etc/pki/ca-trust/source/anchors")


class Place(Protocol):
    """Where somebody looks for authorities to trust. All raise :class:`UsageError`."""

    @property
    def name(self) -> str:
        """Who looks there, and where it is."""
        ...

    def trusts(self, certificate: Path) -> bool: ...

    def add(self, certificate: Path) -> None: ...

    def remove(self, certificate: Path) -> bool:
        """Whether there was one to remove, this or an older one."""
        ...


def local_authority() -> Path:
    """The authority's certificate; the authority is made if there is none yet."""
    return Authority(authority_folder(), Clock().utc()).certificate


def trusted_certificate() -> Path | None:
    """The same, or None when there is no authority yet."""
    certificate = certificate_in(authority_folder())
    return certificate if certificate.exists() else None


def places() -> list[Place]:
    """Those on this machine that belong to the user."""
    if sys.platform == "darwin":
        return [_Keychain(Path.home() / "Library/Keychains/login.keychain-db")]
    if (certutil := shutil.which("certutil")) is None:
        return []
    return [_Database(who, folder, certutil) for who, folder in _databases()]


def by_hand(certificate: Path) -> Iterator[str]:
    """What is left to the user: what could be done too, each with its commands."""
    if sys.platform == "darwin":
        yield "Firefox asks the keychain if about:config has security.enterprise_roots.enabled"
        return
    if shutil.which("certutil") is None:
        yield "browsers: their databases are changed by certutil, which is to be installed first"
        yield "    sudo apt-get install libnss3-tools    # Fedora: sudo dnf install nss-tools"
    else:
        yield "a browser that runs takes notice when it is started anew"
    yield "curl, Python and all else that asks the system's store:"
    file = _DEBIAN / "edgeproxy.crt"
    if _FEDORA.is_dir() and not _DEBIAN.is_dir():
        file = _FEDORA / "edgeproxy.pem"
    update = "update-ca-trust" if file.parent == _FEDORA else "update-ca-certificates"
    yield f"    sudo cp '{certificate}' {file} && sudo {update}"
    yield f"    sudo rm {file} && sudo {update}    # to undo it"


def _databases() -> Iterator[tuple[str, Path]]:
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    usual = home / ".pki/nssdb"
    folders = (usual, data / "pki/nssdb", home / "snap/chromium/current/.pki/nssdb")
    # Where there is another one, Chromium would turn away from it once there is the usual one.
    for folder in [each for each in folders if each.is_dir()] or [usual]:
        yield "Chromium, Chrome, Edge", folder
    for root in (".mozilla/firefox", "snap/firefox/common/.mozilla/firefox"):
        for database in sorted((home / root).glob("*/cert9.db")):
            yield "Firefox", database.parent


@dataclass(frozen=True, slots=True)
class _Database:
    """A database of Mozilla's NSS library, changed by its ``certutil``."""

    who: str
    folder: Path
    certutil: str

    @property
    def name(self) -> str:
        return f"{self.who}: {self.folder}"

    def trusts(self, certificate: Path) -> bool:
        return self._kept() == _digest(certificate.read_bytes())

    def add(self, certificate: Path) -> None:
        if not (self.folder / "cert9.db").exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._run("-N", "--empty-password")
        self.remove(certificate)
        # C: an authority for the certificates of servers, and for nothing else.
        self._run("-A", "-n", _NAME, "-t", "C,,", "-i", str(certificate))

    def remove(self, certificate: Path) -> bool:
        had = self._kept() is not None
        if had:
            self._run("-D", "-n", _NAME)
        return had

    def _kept(self) -> str | None:
        if not (self.folder / "cert9.db").exists():
            return None
        listed = self._call("-L", "-n", _NAME, "-a")
        return _digest(listed.stdout.encode()) if listed.returncode == 0 else None

    def _run(self, *arguments: str) -> None:
        done = self._call(*arguments)
        if done.returncode:
            raise UsageError(
                f"certutil cannot change {self.folder}: {_said(done)}",
                remedy="has the database a password, or is it another user's?",
            )

    def _call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return _call(self.certutil, "-d", f"sql:{self.folder}", *arguments)


@dataclass(frozen=True, slots=True)
class _Keychain:
    """A keychain of macOS, which asks the user itself before it changes whom it trusts."""

    file: Path

    @property
    def name(self) -> str:
        return f"Safari, Chrome: {self.file}"

    def trusts(self, certificate: Path) -> bool:
        found = _call("security", "find-certificate", "-a", "-Z", str(self.file))
        verified = _call("security", "verify-cert", "-c", str(certificate), "-k", str(self.file))
        return _digest(certificate.read_bytes()) in found.stdout and verified.returncode == 0

    def add(self, certificate: Path) -> None:
        self._run(
            "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k", str(self.file),
            str(certificate),
        )  # fmt: skip

    def remove(self, certificate: Path) -> bool:
        had = self.trusts(certificate)
        if had:
            self._run("remove-trusted-cert", str(certificate))
            digest = _digest(certificate.read_bytes())
            self._run("delete-certificate", "-Z", digest, str(self.file))
        return had

    def _run(self, *arguments: str) -> None:
        done = _call("security", *arguments)
        if done.returncode:
            raise UsageError(f"security cannot change {self.file}: {_said(done)}")


def _call(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{command[0]} cannot be run: {error}") from error


def _said(done: "subprocess.CompletedProcess[str]") -> str:
    return " ".join((done.stderr or done.stdout).split())


def _digest(pem: bytes) -> str:
    """The SHA-256 of a certificate, as ``security`` prints it."""
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex().upper()
