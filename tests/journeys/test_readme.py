"""The README's words: its commands exist, its options are real, its demo runs."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from edgeproxy.cli.main import parser
from edgeproxy.options import OPTIONS

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_every_option_it_names_exists():
    option = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
    known = set(option.findall((ROOT / "docs" / "cli.md").read_text("utf-8")))
    # of pip, pytest, curl and AWS's command line
    foreign = {"--quiet", "--dist", "--json", "--invocation-type", "--function-name", "--payload"}
    assert set(option.findall(README)) - foreign <= known


def test_the_command_reference_is_what_the_command_line_says():
    shown = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate_cli.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert all(f"--{option.name}" in page for option in OPTIONS)
    assert parser().prog == "edgeproxy"


def test_the_local_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


class _Tour:
    """The demo on free ports, asked over HTTP."""

    def __init__(self, endpoints: dict[str, object]) -> None:
        self.endpoints = endpoints
        self.opener = urllib.request.build_opener(_NoRedirect)

    def get(self, path: str, door: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
        request = urllib.request.Request(
            (door or str(self.endpoints["viewer"])) + path,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with self.opener.open(request, timeout=20) as response:
                return response.status, dict(response.headers.items()), response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers.items()), error.read()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object) -> None:
        return None


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("demo")
    file = folder / "endpoints.json"
    command = [
        sys.executable, ROOT / "origins" / "demo.py",
        "--port", "0", "--control-port", "0",
        "--endpoints-file", file, "--state-dir", folder / "state",
    ]  # fmt: skip
    with (folder / "console").open("w") as console:
        demo = subprocess.Popen(command, stdout=console, stderr=console)
        deadline = time.monotonic() + 30
        while not file.exists():
            said = (folder / "console").read_text()
            assert demo.poll() is None, said
            assert time.monotonic() < deadline, said
        try:
            yield _Tour(json.loads(file.read_text()))
        finally:
            demo.terminate()
            assert demo.wait(20) == 0, (folder / "console").read_text()


def test_a_visitor_gets_a_variant_and_keeps_it(tour: _Tour):
    status, headers, page = tour.get("/")
    assert (status, headers["X-Cache"]) == (200, "Miss from cloudfront")
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert headers["Strict-Transport-Security"]
    again = tour.get("/", Cookie=cookie)
    assert again[1]["X-Cache"] == "Hit from cloudfront"
    assert again[2] == page
    assert "Set-Cookie" not in again[1]


def test_the_variants_come_from_two_origins(tour: _Tour):
    assert b"variant a" in tour.get("/about.html", Cookie="ab=a")[2]
    assert b"variant b" in tour.get("/about.html", Cookie="ab=b")[2]


def test_redirect_basic_auth_image_and_app(tour: _Tour):
    status, headers, _ = tour.get("/old")
    assert (status, headers["Location"]) == (301, "/new")
    assert headers["X-Cache"] == "LambdaGeneratedResponse from cloudfront"
    assert tour.get("/members")[0] == 401
    assert tour.get("/members", Authorization="Basic ZGVtbzpkZW1v")[0] == 200
    status, headers, image = tour.get("/swatch/336699.png")
    assert (status, headers["Content-Type"], image[:4]) == (200, "image/png", b"\x89PNG")
    assert tour.get("/swatch/336699.png")[1]["X-Cache"] == "Hit from cloudfront"
    assert b"variant b" in tour.get("/app/deep/link")[2]


def test_the_echo_shows_what_an_origin_gets(tour: _Tour):
    document = json.loads(tour.get("/echo?a=1")[2])
    assert document["target"] == "/echo?a=1"
    names = {name.lower() for name, _ in document["headers"]}
    assert {"via", "x-amz-cf-id", "x-forwarded-for", "x-origin-secret"} <= names


def test_the_other_doors(tour: _Tour):
    urls = tour.endpoints["function_urls"]
    api = urls["ApiUrl"]["url"].rstrip("/")  # type: ignore[index]
    assert json.loads(tour.get("/hello?name=edge", api)[2]) == {"message": "Hello, edge!"}
    balancers = tour.endpoints["load_balancers"]
    alb = balancers["Alb"]["listeners"][0]["url"]  # type: ignore[index]
    assert tour.get("/hello", alb)[0] == 200
    status, _, body = tour.get("/api/exchanges?limit=1", str(tour.endpoints["control"]))
    assert status == 200
    assert json.loads(body)["exchanges"]


def test_an_unknown_page_is_the_sites_own(tour: _Tour):
    status, headers, page = tour.get("/nothing/here")
    assert (status, headers["X-Cache"]) == (404, "Error from cloudfront")
    assert b"About us" in page


@pytest.mark.parametrize("folder", ["python", "node", "cloudfront"])
def test_the_commands_of_the_samples_readmes_work(folder: str):
    text = (ROOT / "functions" / folder / "README.md").read_text("utf-8")
    commands = re.findall(r"^\s*edgeproxy (invoke .*)$", text, re.MULTILINE)
    assert commands
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "edgeproxy", *command.split()],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)
