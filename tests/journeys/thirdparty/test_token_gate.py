"""A Python function with its dependencies installed into its own folder."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeproxy.testing import Edge, Site
from tests.journeys.thirdparty.packages import python_packages
from tests.support.command import run
from tests.support.origin import Origin

_SECRET = b"a secret of at least thirty-two bytes"


@pytest.fixture(scope="module")
def folder(project: Callable[..., Path]) -> Path:
    return project("token_gate", python_packages("requirements-token-gate.txt"))


@pytest.fixture(scope="module")
def site(module_edge: Edge, module_origin: Origin, folder: Path) -> Site:
    return module_edge.serve(folder / "template.yaml", origins={"web": module_origin.url})


def token(key: bytes = _SECRET, **claims: object) -> dict[str, str]:
    """The header of one who has a token with these claims."""
    head, payload = (_coded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    signature = _coded(hmac.digest(key, f"{head}.{payload}".encode(), hashlib.sha256))
    return {"Authorization": f"Bearer {head}.{payload}.{signature}"}


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_token_opens_the_gate(site, module_origin):
    response = site.get("/a", headers=token(sub="ada", exp=time.time() + 60))
    assert response.body == b"from the origin"
    assert module_origin.got[-1].header("X-User") == "ada"


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "a token is needed"),
        ({"Authorization": "Bearer a.b.c"}, "this is no token of ours"),
        (token(b"another secret of thirty-two bytes", sub="eve"), "this is no token of ours"),
        (token(sub="ada", exp=1), "the token has expired"),
    ],
)
def test_anything_else_does_not(site, module_origin, headers, why):
    module_origin.got.clear()
    response = site.get("/a", headers=headers)
    assert (response.status, response.text) == (401, why)
    assert response.headers.get("WWW-Authenticate") == "Bearer"
    assert module_origin.got == []


def test_check_has_nothing_against_it(folder):
    checked = run("check", "template.yaml", cwd=folder)
    assert checked.returncode == 0, checked.stdout


def test_what_lies_in_its_folder_wins_over_what_edgeproxy_itself_uses(site, folder):
    versions = site.get("/versions", headers=token(sub="ada")).json()
    assert (versions["jwt"], versions["idna"]) == ("2.15.1", "3.10")
    assert all(Path(where).is_relative_to(folder / "app") for where in versions["at"])
