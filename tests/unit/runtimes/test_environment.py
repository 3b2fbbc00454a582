from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.runtimes.environment import Environment
from edgeproxy.runtimes.invocation import FunctionSpec, Invocation, InvocationResult, Returned
from edgeproxy.runtimes.sandbox import Sandbox, Surroundings
from edgeproxy.runtimes.warden import Warden
from tests.support.ports import free_port

CODE = "import os\nhandler = lambda e, c: [e, os.getpid()]"
DYING = "exports.handler = () => new Promise(() => setImmediate(() => { throw new Error(); }));"


class Stage:
    def __init__(self, folder: Path, runtime: str = "python3.12", port: int | None = None) -> None:
        (folder / "app.py").write_text(CODE)
        (folder / "app.js").write_text(DYING)
        self.warden = Warden(folder / "scratch")
        surroundings = Surroundings(Clock(), Chance(1), self.warden, folder / "scratch")
        spec = FunctionSpec("f", runtime, "app.handler", folder, "arn", debug_port=port)
        self.lines: list[str] = []
        self.freed: list[InvocationResult] = []
        self.environment = Environment(
            spec,
            surroundings,
            lambda entry: self.lines.extend(line.message for line in entry.lines()),
            lambda environment, result: self.freed.append(result),
        )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    await stage.environment.close()
    stage.warden.close()


@pytest.mark.rule("LR-180")
async def test_init_then_invocations(stage: Stage) -> None:
    environment = stage.environment
    assert not environment.warm
    assert await environment.start() is None
    assert environment.warm
    result = await environment.begin(Invocation("one", b"1"))
    assert isinstance(result, Returned)
    assert result.init_ms is not None
    assert result.init_ms > 0
    assert stage.freed == [result]
    assert [line.split()[0] for line in stage.lines] == ["INIT_START", "START", "END", "REPORT"]


@pytest.mark.rule("LR-182")
async def test_an_invocation_starts_the_process_if_need_be(stage: Stage) -> None:
    result = await stage.environment.begin(Invocation("one", b"1"))
    assert isinstance(result, Returned)
    assert result.init_ms is None


async def test_the_environment_is_free_before_the_caller_knows(stage: Stage) -> None:
    first = stage.environment.begin(Invocation("one", b"1"))
    order: list[str] = []
    first.add_done_callback(lambda _: order.append(f"caller after {len(stage.freed)}"))
    await first
    assert order == ["caller after 1"]


async def test_closing_fails_what_runs(stage: Stage) -> None:
    running = stage.environment.begin(Invocation("one", b"1"))
    await stage.environment.close()
    result = await running
    assert not isinstance(result, Returned)
    await stage.environment.close()


async def test_nothing_starts_once_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[Sandbox] = []
    launch = Sandbox.launch

    def counted(sandbox: Sandbox) -> None:
        launched.append(sandbox)
        launch(sandbox)

    monkeypatch.setattr(Sandbox, "launch", counted)
    stage = Stage(tmp_path, "nodejs22.x", free_port())
    await stage.environment.begin(Invocation("one", b"1"))
    # The next process waits until the one that has died gives up the debugger's port.
    waiting: list[Callable[[], None]] = []
    monkeypatch.setattr(Sandbox, "when_ended", lambda _, then: waiting.append(then))
    running = stage.environment.begin(Invocation("two", b"1"))
    await stage.environment.close()
    assert not isinstance(await running, Returned)
    (then,) = waiting
    then()
    assert len(launched) == 1
    stage.warden.close()


@pytest.mark.rule("LR-167")
@pytest.mark.parametrize(
    ("runtime", "code"),
    [
        ("python3.12", "import os\nhandler = lambda e, c: os.environ.get('_X_AMZN_TRACE_ID')"),
        (
            "nodejs22.x",
            "exports.handler = async () => process.env._X_AMZN_TRACE_ID ?? null;",
        ),
    ],
)
async def test_the_trace_id_is_a_variable_while_there_is_one(
    tmp_path: Path, runtime: str, code: str
) -> None:
    stage = Stage(tmp_path, runtime)
    Path(tmp_path, "app.py" if runtime.startswith("python") else "app.js").write_text(code)
    for trace_id, seen in (("Root=1-2", b'"Root=1-2"'), ("", b"null"), ("Root=1-3", b'"Root=1-3"')):
        result = await stage.environment.begin(Invocation("one", b"1", trace_id=trace_id))
        assert isinstance(result, Returned)
        assert (result.payload, result.trace_id) == (seen, trace_id)
    await stage.environment.close()
    stage.warden.close()
