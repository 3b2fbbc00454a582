"""`edgeproxy trust`: a browser opens the edge over HTTPS without a question, until `--remove`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.async_api import Error

from edgeproxy.cli import main
from tests.support.browser import launched
from tests.support.command import dev

Trust: TypeAlias = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="a keychain asks a person")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who has nothing yet."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return home


@pytest.fixture
def trust(home: Path, capsys: pytest.CaptureFixture[str]) -> Trust:
    """The command, for the user of that home: its status and what it says."""

    def run(*options: str) -> tuple[int, str]:
        status = main(["trust", *options])
        return status, capsys.readouterr().out

    return run


async def _title(url: str, home: Path) -> str:
    """What a browser of that home shows; a question about the certificate is an error."""
    async with launched({**os.environ, "HOME": str(home)}) as browser:
        page = await browser.new_page()
        await page.goto(url)
        return await page.title()


async def test_a_browser_takes_the_certificate_until_it_is_removed(
    home: Path, trust: Trust
) -> None:
    (home / "index.html").write_text("<title>Shop</title>")
    with dev(".", "--https-port", "0", cwd=home) as edge:
        url = edge.endpoints["distributions"]["Default"]["https_url"] + "/index.html"
        url = url.replace("127.0.0.1", "localhost")
        assert trust("--status") == (1, _told(home, "not trusted  "))
        status, told = trust()
        assert status == 0
        assert told.startswith(_told(home, "added        "))
        assert "edgeproxy trust --remove" in told
        assert trust("--status") == (0, _told(home, "trusted      "))
        assert await _title(url, home) == "Shop"
        assert trust()[1].startswith(_told(home, "is there     "))
        assert trust("--remove") == (0, _told(home, "removed      "))
        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            await _title(url, home)
        assert trust("--remove") == (0, _told(home, "not there    "))


def _told(home: Path, what: str) -> str:
    certificate = home / ".local/share/edgeproxy/authority/authority.pem"
    return (
        f"the local authority's certificate: {certificate}\n"
        f"{what}Chromium, Chrome, Edge: {home}/.pki/nssdb\n"
    )


def test_profiles_of_firefox_are_changed_too_and_an_older_authority_is_replaced(
    home: Path, trust: Trust
) -> None:
    profile = home / ".mozilla/firefox/abc.default"
    profile.mkdir(parents=True)
    subprocess.run(
        ["certutil", "-N", "--empty-password", "-d", f"sql:{profile}"], check=True, timeout=60
    )
    assert f"added        Firefox: {profile}\n" in trust()[1]
    shutil.rmtree(home / ".local/share/edgeproxy/authority")
    assert f"added        Firefox: {profile}\n" in trust()[1]
    assert f"trusted      Firefox: {profile}\n" in trust("--status")[1]
    assert f"removed      Firefox: {profile}\n" in trust("--remove")[1]


def test_the_database_that_chromium_has_already_is_the_one(home: Path, trust: Trust) -> None:
    database = home / ".local/share/pki/nssdb"
    database.mkdir(parents=True)
    assert f"added        Chromium, Chrome, Edge: {database}\n" in trust()[1]
    assert not (home / ".pki").exists()


def test_nothing_is_made_to_be_told_that_there_is_nothing(home: Path, trust: Trust) -> None:
    nothing = "there is no local authority yet: nothing is trusted\n"
    assert trust("--status") == (1, nothing)
    assert trust("--remove") == (0, nothing)
    assert not list(home.iterdir())


def test_without_certutil_the_user_is_told_what_to_install(
    home: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(home))
    status, told = trust()
    assert status == 0
    assert "libnss3-tools" in told
    assert "update-ca-certificates" in told
    assert not (home / ".pki").exists()


def test_a_key_that_others_could_read_is_closed_to_them(
    home: Path, trust: Trust, caplog: pytest.LogCaptureFixture
) -> None:
    trust()
    folder = home / ".local/share/edgeproxy/authority"
    key = folder / "authority-key.pem"
    assert (folder.stat().st_mode & 0o777, key.stat().st_mode & 0o777) == (0o700, 0o600)
    folder.chmod(0o755)
    key.chmod(0o644)
    trust()
    assert "authority-key.pem was open to others" in caplog.text
    assert (folder.stat().st_mode & 0o777, key.stat().st_mode & 0o777) == (0o700, 0o600)
