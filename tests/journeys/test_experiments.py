"""The sample experiments as their users run them: each holds, and its broken twin is found out."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeproxy.cli import main
from tests.support.asynchronous import until
from tests.support.command import dev, run

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "functions" / "experiments"
BROKEN = {
    "cloudfront_function": ("max_leaks", "EXP-02"),
    "header_in_key": ("max_leaks", "EXP-07"),
    "key_value_weights": ("max_switches", "EXP-11"),
    "lambda_at_edge": ("max_stored_cookies", "EXP-04"),
    "path_rewrite": ("max_leaks", "EXP-02"),
    "staging_by_header": ("max_leaks", "EXP-10"),
    "staging_by_weight": ("max_switches", "EXP-09"),
    "target_group_weights": ("max_switches", "EXP-09"),
    "two_origins": ("max_leaks", "EXP-02"),
    "weighted_alias": ("shares", "EXP-08"),
}
"""What does not hold in a run of the broken twin, and what the check says of it."""


@pytest.fixture(scope="module")
def origins() -> Iterator[dict[str, str]]:
    """The sample origin twice, as the definitions name it."""
    processes, urls = [], {}
    for name, options in {"Web": (), "WebB": ("--variant", "b")}.items():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, f"{ROOT}/origins/variants.py", "--port", str(port), *options]
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}  # Its first line is waited for.
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ))
        urls[name] = f"http://127.0.0.1:{port}"
    for process in processes:
        assert process.stdout is not None
        assert "Running on" in process.stdout.readline()
    try:
        yield urls
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=20)


def options(sample: Path, origins: dict[str, str]) -> str:
    """Where the origins of a sample are, whatever its own file says."""
    template = (sample / "template.yaml").read_text()
    named = [name for name in origins if f"Id: {name}\n" in template]
    given = [f"--origin {name}={origins[name]}" for name in named]
    if "KeyValueStore" in template:
        given.append(f"--kvs Weights={sample / 'weights.json'}")
    return " ".join(given)


def experiment(sample: Path, template: str, origins: dict[str, str], *more: str) -> int:
    arguments = ["experiment", "run", sample.name, "--target", str(sample / template)]
    arguments += ["--visitors", "50", "--requests", "3"]  # The declaration lies beside TARGET.
    if with_ := options(sample, origins):
        arguments += ["--with", with_]
    return main([*arguments, *more])


def test_every_sample_has_its_test() -> None:
    assert {each.name for each in SAMPLES.iterdir() if each.is_dir()} == set(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_a_sample_holds(
    name: str, origins: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = experiment(SAMPLES / name, "template.yaml", origins)
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "BROKEN" not in printed
    assert "50 of 50 visitors, 150 requests" in printed
    assert main(["check", str(SAMPLES / name / "template.yaml"), *kvs(name)]) == 0
    assert "EXP-" not in capsys.readouterr().out


@pytest.mark.parametrize("name", BROKEN)
def test_its_broken_twin_is_found_out_by_run_and_check(
    name: str, origins: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    requirement, rule = BROKEN[name]
    report = tmp_path / "report.json"
    status = experiment(
        SAMPLES / name, "broken.yaml", origins, "--no-early-stop", "--json", str(report)
    )
    printed = capsys.readouterr().out
    assert status == 1, printed
    assert re.search(rf"BROKEN ({requirement}) ", printed), printed
    document = json.loads(report.read_text())
    assert not document["holds"]
    if document["leaks"]["responses"]:
        assert document["leaks"]["remedies"]
    assert main(["check", str(SAMPLES / name / "broken.yaml"), *kvs(name)]) == 0
    found = capsys.readouterr().out
    assert f"[{rule}]" in found
    assert "experiments.yaml:3 experiments." in found


def kvs(name: str) -> list[str]:
    file = SAMPLES / name / "weights.json"
    return ["--kvs", f"Weights={file}"] if file.exists() else []


def test_the_reports_say_the_same(
    origins: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sample = SAMPLES / "cloudfront_function"
    forms = {each: tmp_path / f"report.{each}" for each in ("json", "html", "junit")}
    more = [text for form, file in forms.items() for text in (f"--{form}", str(file))]
    more += ["--visitors", "110"]
    status = experiment(sample, "broken.yaml", origins, "--no-early-stop", *more)
    printed = capsys.readouterr().out
    assert status == 1
    report = json.loads(forms["json"].read_text())
    count = report["leaks"]["responses"]
    assert f"{count} responses went to the other side" in printed
    assert "the cookie ab is not in the cache key (distribution, path)" in printed
    (example, *_) = report["leaks"]["examples"]
    assert {"part": "path", "value": example["path"]} in example["key"]
    suites = ElementTree.parse(forms["junit"]).getroot()
    failed = [
        case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None
    ]
    assert failed == ["max_leaks"]
    page = forms["html"].read_text()
    assert page.count("<svg") >= 2
    assert f"{count} responses went to the other side" in page
    assert "http://" not in page.replace(report["url"], "")  # Nothing is fetched from anywhere.


def test_two_runs_are_compared(
    origins: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sample = SAMPLES / "two_origins"
    files = [str(tmp_path / "good.json"), str(tmp_path / "broken.json")]
    for template, file in zip(("template.yaml", "broken.yaml"), files, strict=True):
        experiment(sample, template, origins, "--no-early-stop", "--json", file)
    capsys.readouterr()
    assert main(["experiment", "diff", *files]) == 1
    lines = capsys.readouterr().out.splitlines()
    (leaks,) = [line for line in lines if " leaks " in line]
    assert leaks.strip().startswith("*")
    assert "0.00% ->" in leaks
    (share,) = [line for line in lines if "share of a" in line]
    assert not share.strip().startswith("*")


def test_revisions_of_the_functions_are_compared(
    origins: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sample = SAMPLES / "cloudfront_function"

    def commit(template: str) -> None:
        shutil.copy(sample / template, tmp_path / "template.yaml")
        for command in (
            ["init", "--quiet"],
            ["add", "template.yaml"],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", template],
        ):
            subprocess.run(["git", "-C", tmp_path, *command], check=True)

    commit("template.yaml")
    commit("broken.yaml")
    (tmp_path / "template.yaml").write_text("what is not committed does not count")
    arguments = ["--run", sample.name, "--file", str(sample / "experiments.yaml")]
    arguments += ["--target", str(tmp_path / "template.yaml"), "--visitors", "50"]
    arguments += ["--requests", "3", "--with", f"--origin Web={origins['Web']}"]
    assert main(["experiment", "diff", "HEAD~1", "HEAD", *arguments]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.strip().startswith("* leaks") for line in lines), lines
    trees = subprocess.run(
        ["git", "-C", tmp_path, "worktree", "list"], capture_output=True, text=True, check=True
    )
    assert len(trees.stdout.splitlines()) == 1
    assert main(["experiment", "diff", "HEAD", "nowhere", *arguments]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_recorded_session_is_walked_in_its_order(origins: dict[str, str], tmp_path: Path) -> None:
    urls = ["http://a/first", "http://elsewhere/x", "http://a/second?page=2", "http://a"]
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    session = tmp_path / "session.har"
    session.write_text(json.dumps({"log": {"entries": entries}}))
    sample, log = SAMPLES / "cloudfront_function", tmp_path / "access.log"
    template = sample / "template.yaml"
    status = main(
        ["experiment", "run", sample.name, "--file", str(sample / "experiments.yaml"),
         "--target", str(template), "--visitors", "10", "--session", str(session),
         "--with", f"--origin Web={origins['Web']} --access-log {log}"]
    )  # fmt: skip
    assert status == 0
    rows = [line.split("\t") for line in log.read_text().splitlines() if line[0] != "#"]
    asked = [row[7] + ("" if row[11] == "-" else f"?{row[11]}") for row in rows]
    assert asked == ["/first"] * 10 + ["/second?page=2"] * 10 + ["/"] * 10


def test_a_declaration_is_proposed_from_what_was_asked_for(
    origins: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    template = SAMPLES / "cloudfront_function" / "template.yaml"
    with dev(str(template), "--origin", f"Web={origins['Web']}", cwd=tmp_path) as edge:
        control = ["--control", str(edge.endpoints["control"])]
        assert main(["experiment", "init", *control]) == 1
        assert "no cookie splits visitors in the 0 newest requests" in capsys.readouterr().err
        for side in ("a", "b", "a", "b"):
            request = urllib.request.Request(f"{edge.endpoints['viewer']}/{side}")
            urllib.request.urlopen(request).close()  # It gets a side of its own.
            request.add_header("Cookie", f"ab={side}")
            urllib.request.urlopen(request).close()
        file = tmp_path / "experiments.yaml"
        assert main(["experiment", "init", *control, "--output", str(file)]) == 0
        assert main(["experiment", "init", *control, "--output", str(file)]) == 2
        assert "experiments.yaml: cannot be written: File exists" in capsys.readouterr().err
        run_it = ["experiment", "run", "ab", "--file", str(file), "--visitors", "20"]
        assert main([*run_it, "--requests", "2", *control]) == 0


def test_a_run_whose_origin_is_down_is_partial_and_says_why(
    origins: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    sample = SAMPLES / "cloudfront_function"
    nowhere = {**origins, "Web": "http://127.0.0.1:9"}
    status = experiment(sample, "template.yaml", nowhere, "--visitors", "200")
    printed = capsys.readouterr().out
    assert status == 1
    assert "50 of 200 visitors" in printed
    rests = "the report rests on 50 visitors"
    assert f"PARTIAL: more requests have failed than may; {rests}" in printed
    ended = "150 requests ended with 502 Error from cloudfront"
    assert f"{ended}: http://127.0.0.1:9 refused the connection (3 attempts)" in printed
    assert "BROKEN max_error_ratio    150 of 150 requests failed" in printed


def test_a_run_whose_edge_ends_is_partial_and_says_on_how_many_it_rests(
    origins: dict[str, str], tmp_path: Path
) -> None:
    sample = SAMPLES / "cloudfront_function"
    target = sample / "template.yaml"
    with dev(str(target), "--origin", f"Web={origins['Web']}", cwd=tmp_path) as edge:
        control = str(edge.endpoints["control"])
        command = [
            sys.executable, "-m", "edgeproxy", "experiment", "run", sample.name,
            "--file", str(sample / "experiments.yaml"), "--control", control,
            "--visitors", "100000", "--concurrency", "4",
        ]  # fmt: skip
        runner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        edge.wait_for("GET     /")  # It is under way.
        edge.stop()
        printed, _ = runner.communicate(timeout=60)
    assert runner.returncode == 1
    assert re.search(r"PARTIAL: .*; the report rests on \d+ visitors", printed), printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_partial_and_leaves_no_edge_behind(
    number: signal.Signals, origins: dict[str, str], tmp_path: Path
) -> None:
    sample, log = SAMPLES / "cloudfront_function", tmp_path / "access.log"
    command = [
        sys.executable, "-m", "edgeproxy", "experiment", "run", sample.name,
        "--file", str(sample / "experiments.yaml"), "--target", str(sample / "template.yaml"),
        "--visitors", "100000", "--with", f"--origin Web={origins['Web']} --access-log {log}",
    ]  # fmt: skip
    # All of a terminal's processes get Ctrl-C: those of one group.
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0)
    until(lambda: log.exists() and "GET" in log.read_text(), 60)
    (edge,) = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(runner.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    os.killpg(runner.pid, number)
    printed, _ = runner.communicate(timeout=60)
    assert runner.returncode == 1
    assert re.search(r"PARTIAL: it was interrupted; the report rests on \d+ visitors", printed)
    assert not Path("/proc", edge).exists()


def test_visitors_come_over_https_where_it_is_served(
    origins: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sample, target = SAMPLES / "cloudfront_function", tmp_path / "template.yaml"
    text = (sample / "template.yaml").read_text()
    target.write_text(text.replace("Policy: allow-all", "Policy: redirect-to-https"))
    arguments = ["experiment", "run", sample.name, "--file", str(sample / "experiments.yaml")]
    arguments += ["--target", str(target), "--visitors", "20", "--requests", "2", "--with"]
    assert main([*arguments, f"--origin Web={origins['Web']}"]) == 1
    assert "40 requests ended with 301 Redirect" in capsys.readouterr().out
    assert main([*arguments, f"--origin Web={origins['Web']} --https-port 0"]) == 0
    assert "at https://" in capsys.readouterr().out


def test_an_edge_that_keeps_too_few_records_is_told(
    origins: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "experiments.yaml"
    file.write_text("experiments: {x: {assignment: {request_header: X-Ab}, variants: [a, b]}}")
    status = main(
        ["experiment", "run", "x", "--file", str(file), "--visitors", "5", "--requests", "2",
         "--target", str(SAMPLES / "cloudfront_function" / "template.yaml"),
         "--with", f"--origin Web={origins['Web']} --history 0"]
    )  # fmt: skip
    assert status == 1
    assert "start it with a higher --history" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "x.yaml", "--control", "http://a"], "--control is for an edge that runs"),
        (["--json", "nowhere/report.json"], "nowhere/report.json: cannot be written"),
        (["--target", "nothing.yaml"], "the edge does not start: .*nothing.yaml"),
        (["--control", "http://127.0.0.1:9"], "no running edge answers at http://127.0.0.1:9"),
        (["--with", "--strict"], r"expected one argument \(one that begins with -"),
        (["--with=--strict"], "--with is for the edge that --target starts"),
        (["--visitors", "0"], "'0' is not a number above 0"),
        (["--pause", "soon"], "'soon' is not a time such as"),
        (["--file", "missing.yaml"], "missing.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_run_is_said(arguments: list[str], message: str, tmp_path: Path) -> None:
    file = tmp_path / "experiments.yaml"
    file.write_text("experiments: {x: {assignment: {cookie: ab}, variants: [a, b]}}")
    done = run("experiment", "run", "x", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def checked(folder: Path, replaced: dict[str, str], exposure: str) -> int:
    """The check of the sample with a CloudFront Function, changed, without a dry run."""
    text = (SAMPLES / "cloudfront_function" / "template.yaml").read_text()
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "template.yaml").write_text(text)
    (folder / "experiments.yaml").write_text(
        f"experiments: {{x: {{assignment: {{cookie: ab}}, variants: [a, b]{exposure}}}}}"
    )
    return main(["check", "--no-dry-run", str(folder / "template.yaml")])


def test_the_check_spares_who_chooses_among_named_sides_by_an_id(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    by_id = "event.context.requestId.charCodeAt(3) % 2"
    assert checked(tmp_path, {"Math.random() < 0.5": by_id}, "") == 0
    assert "EXP-" not in capsys.readouterr().out
    new_id = "event.context.requestId.slice(0, 12)"
    changes = {"Math.random() < 0.5 ? 'b' : 'a'": new_id, "known !== 'b'": "!known"}
    assert checked(tmp_path, changes, "") == 0
    assert "[EXP-03]" in capsys.readouterr().out


def test_the_check_spares_a_forwarded_cookie_whose_side_is_in_the_path(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    policy = "          CachePolicyId: !Ref PerVariant\n"
    all_viewer = "          OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3\n"
    changes = {
        "{CookieBehavior: whitelist, Cookies: [ab]}": "{CookieBehavior: none}",
        policy: policy + all_viewer,
    }
    assert checked(tmp_path, changes, ", exposure: {path_prefix: {a: /a/, b: /b/}}") == 0
    assert "EXP-" not in capsys.readouterr().out
    assert checked(tmp_path, changes, "") == 0
    assert "[EXP-02]" in capsys.readouterr().out
