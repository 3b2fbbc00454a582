"""cognito-at-edge before a private site, with a stand-in for the user pool's endpoints."""

import base64
import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.journeys.thirdparty.packages import node_modules
from tests.support.command import run
from tests.support.origin import Origin
from tests.unit.origins.certificates import server_context

_POOL = "us-east-1_EDGEPROXY"
_CLIENT = "3n4b5urk1ft4fl3mg5e62d9ado"
_COOKIE = f"CognitoIdentityServiceProvider.{_CLIENT}"
_HOST = "site.example.com"


@dataclass
class UserPool:
    """Signs tokens as Cognito does, and notes what is asked of its endpoints."""

    key: Path
    domain: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """(path, Authorization, form) of each request."""
    refuses: bool = False

    @property
    def jwks(self) -> dict[str, Any]:
        """The public half of the key."""
        shown = _openssl("rsa", "-in", self.key, "-modulus", "-noout").decode()
        modulus = bytes.fromhex(shown.strip().partition("=")[2])
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "e": "AQAB"}
        return {"keys": [key | {"n": _coded(modulus)}]}

    def token(self, use: str = "id", lives_s: int = 3600, user: str = "ada") -> str:
        now = int(time.time())
        head = {"alg": "RS256", "kid": "k1"}
        claims = {
            "iss": f"https://cognito-idp.us-east-1.amazonaws.com/{_POOL}",
            "token_use": use, "aud": _CLIENT, "sub": "1", "cognito:username": user,
            "iat": now - 10, "exp": now + lives_s,
        }  # fmt: skip
        signed = ".".join(_coded(json.dumps(part).encode()) for part in (head, claims))
        signature = _openssl("dgst", "-sha256", "-sign", self.key, data=signed.encode())
        return f"{signed}.{_coded(signature)}"

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, str]]:
        if self.refuses:
            return 400, {"error": "invalid_grant"}
        match path, form.get("grant_type"):
            case "/oauth2/token", "authorization_code":
                tokens = {"id_token": self.token(), "access_token": self.token("access")}
                return 200, {**tokens, "refresh_token": "refresh"}
            case "/oauth2/token", "refresh_token":
                return 200, {"id_token": self.token(), "access_token": self.token("access")}
            case _:
                return 200, {}


def _openssl(*arguments: str | Path, data: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True)
    return done.stdout


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def running_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UserPool]:
    folder = tmp_path_factory.mktemp("pool")
    context = server_context(folder, "localhost")
    pool = UserPool(folder / "localhost.key")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(sent).items()}
            pool.asked.append((self.path, self.headers.get("Authorization", ""), form))
            status, answer = pool.answer(self.path, form)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing on standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        pool.domain = f"localhost:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield pool
        server.shutdown()
        thread.join()


@pytest.fixture
def pool(running_pool: UserPool) -> UserPool:
    running_pool.asked.clear()
    running_pool.refuses = False
    return running_pool


@pytest.fixture(scope="module")
def folder(project: Callable[..., Path], running_pool: UserPool) -> Path:
    folder = project("cognito_site", node_modules(), into="app/node_modules")
    settings = {
        "userPoolId": _POOL,
        "clientId": _CLIENT,
        "domain": running_pool.domain,
        "jwks": running_pool.jwks,
        "certificate": running_pool.key.with_suffix(".pem").read_text(),
    }
    (folder / "app" / "settings.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module")
def site(module_edge: Edge, module_origin: Origin, folder: Path) -> Site:
    return module_edge.serve(folder / "template.yaml", origins={"web": module_origin.url})


@pytest.fixture
def origin(module_origin: Origin) -> Origin:
    module_origin.got.clear()
    return module_origin


def ask(site: Site, path: str, **cookies: str) -> SiteResponse:
    """``GET path`` with these tokens of the user ada."""
    line = "; ".join(f"{_COOKIE}.ada.{name}={value}" for name, value in cookies.items())
    headers = {"Host": _HOST} | ({"Cookie": line} if line else {})
    return site.get(path, headers=headers)


def cookies_set(response: SiteResponse) -> dict[str, str]:
    """The value of each cookie that a response sets."""
    jar = SimpleCookie[str]()
    for line in response.headers.get_all("Set-Cookie"):
        jar.load(line)
    return {name.removeprefix(f"{_COOKIE}."): morsel.value for name, morsel in jar.items()}


def test_a_stranger_is_sent_to_the_hosted_ui(site, pool, origin):
    response = ask(site, "/private/page.html?a=1&b=2")
    assert response.status == 302
    assert response.x_cache == "LambdaGeneratedResponse from cloudfront"
    where = urlsplit(response.headers.get("Location"))
    assert f"{where.scheme}://{where.netloc}{where.path}" == f"https://{pool.domain}/authorize"
    assert parse_qs(where.query) == {
        "redirect_uri": [f"https://{_HOST}"],
        "response_type": ["code"],
        "client_id": [_CLIENT],
        "state": ["/private/page.html?a=1&b=2"],
    }
    assert response.headers.get("Cache-Control") == "no-cache, no-store, max-age=0, must-revalidate"
    assert origin.got == []


def test_who_comes_back_with_a_code_gets_the_tokens_as_cookies(site, pool, origin):
    response = ask(site, "/?code=c0de&state=/private/page.html%3Fa%3D1")
    assert response.status == 302
    assert response.headers.get("Location") == f"https://{_HOST}/private/page.html?a=1"
    credentials = base64.b64encode(f"{_CLIENT}:client secret".encode()).decode()
    expected = {
        "grant_type": "authorization_code",
        "client_id": _CLIENT,
        "code": "c0de",
        "redirect_uri": f"https://{_HOST}",
    }
    assert pool.asked == [("/oauth2/token", f"Basic {credentials}", expected)]
    cookies = cookies_set(response)
    assert cookies["ada.refreshToken"] == "refresh"
    assert cookies["LastAuthUser"] == "ada"
    lines = response.headers.get_all("Set-Cookie")
    assert len(lines) == 5
    attributes = rf"; Domain={re.escape(_HOST)}; Expires=.*GMT; Secure; HttpOnly; SameSite=Lax"
    assert all(re.search(f"{attributes}$", line) for line in lines)
    admitted = ask(site, "/private/page.html", idToken=cookies["ada.idToken"])
    assert admitted.body == b"from the origin"
    assert len(origin.got) == 1


def test_a_valid_token_lets_through_hits_and_misses_alike(site, pool, origin):
    for x_cache in ("Miss from cloudfront", "Hit from cloudfront"):
        response = ask(site, "/let-in", idToken=pool.token())
        assert (response.body, response.x_cache) == (b"from the origin", x_cache)
    assert ask(site, "/let-in").status == 302
    assert origin.targets == ["/let-in"]
    assert pool.asked == []


def test_an_expired_token_is_refreshed(site, pool, origin):
    response = ask(
        site, "/page", idToken=pool.token(lives_s=-5), accessToken="a", refreshToken="refresh"
    )
    assert (response.status, response.headers.get("Location")) == (302, f"https://{_HOST}/page")
    form = pool.asked[0][2]
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "refresh")
    cookies = cookies_set(response)
    assert "ada.refreshToken" not in cookies
    assert ask(site, "/page", idToken=cookies["ada.idToken"]).body == b"from the origin"


@pytest.mark.parametrize("kind", ["expired", "of another use", "forged", "no token"])
def test_a_token_that_is_not_valid_leads_to_the_hosted_ui(site, pool, origin, kind):
    genuine = pool.token()
    told = {
        "expired": pool.token(lives_s=-5),
        "of another use": pool.token("access"),
        "forged": genuine[:-6] + "AAAAAA",
        "no token": "x",
    }[kind]
    response = ask(site, "/page", idToken=told)
    assert urlsplit(response.headers.get("Location")).path == "/authorize"
    assert origin.got == []


def test_a_refresh_that_the_pool_refuses_leads_to_the_hosted_ui(site, pool):
    pool.refuses = True
    response = ask(site, "/page", idToken=pool.token(lives_s=-5), refreshToken="stolen")
    assert response.status == 302
    assert urlsplit(response.headers.get("Location")).netloc == pool.domain


def test_signing_out_revokes_the_token_and_clears_the_cookies(site, pool, origin):
    response = ask(site, "/sign-out", idToken=pool.token(), refreshToken="refresh")
    assert response.status == 302
    assert response.headers.get("Location") == "https://example.com/bye"
    path, _, form = pool.asked[0]
    assert (path, form) == ("/oauth2/revoke", {"client_id": _CLIENT, "token": "refresh"})
    cleared = cookies_set(response)
    assert set(cleared.values()) == {""}
    assert {"ada.idToken", "ada.accessToken", "ada.refreshToken", "LastAuthUser"} <= cleared.keys()
    assert origin.got == []


def test_check_has_nothing_against_it(folder):
    checked = run("check", "template.yaml", cwd=folder)
    assert checked.returncode == 0, checked.stdout


def test_a_code_that_the_pool_refuses_is_the_functions_error(site, pool):
    pool.refuses = True
    response = ask(site, "/?code=wrong&state=/")
    assert (response.status, response.x_cache) == (503, "LambdaExecutionError from cloudfront")
    assert "AxiosError" in site.console
