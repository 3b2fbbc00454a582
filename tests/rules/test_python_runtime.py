"""How Python functions are found, called and answered for (LR-001 to LR-027, LR-080, LR-100)."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent

import pytest

from edgeproxy.runtimes.invocation import FunctionError, InitFailed, Returned
from tests.unit.runtimes.account import ARN, STARTS, Account, document_of, messages, value_of

rule = pytest.mark.rule


@pytest.fixture(params=STARTS)
async def account(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Account]:
    async with Account(tmp_path) as account:
        if request.param == "forked":
            await account.have_zygote()
        yield account


WHERE = "def handler(event, context): return __name__"


@pytest.mark.parametrize(
    ("handler", "file", "module"),
    [
        pytest.param("app.handler", "app.py", "app", marks=rule("LR-001")),
        pytest.param("pkg.mod.handler", "pkg/mod.py", "pkg.mod", marks=rule("LR-001")),
        pytest.param("src/api/app.handler", "src/api/app.py", "src.api.app", marks=rule("LR-002")),
        pytest.param("src.api.app.handler", "src/api/app.py", "src.api.app", marks=rule("LR-002")),
    ],
)
async def test_the_handler_string_names_module_and_function(
    account: Account, handler: str, file: str, module: str
) -> None:
    assert value_of(await account.run({file: WHERE}, handler=handler)) == module


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        pytest.param(
            "",
            "nodot",
            "Runtime.MalformedHandlerName",
            "Bad handler 'nodot': not enough values to unpack (expected 2, got 1)",
            marks=rule("LR-003"),
        ),
        pytest.param(
            "",
            "sys.handler",
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module sys as a handler module",
            marks=rule("LR-004"),
        ),
        pytest.param(
            "import not_installed",
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'not_installed'",
            marks=rule("LR-005"),
        ),
        pytest.param(
            "",
            "sub/nowhere.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'sub/nowhere': No module named 'sub'",
            marks=rule("LR-005"),
        ),
        pytest.param(
            "other = 1",
            "app.nosuch",
            "Runtime.HandlerNotFound",
            "Handler 'nosuch' missing on module 'app'",
            marks=rule("LR-007"),
        ),
    ],
)
@rule("LR-012", "LR-080", "LR-081")
async def test_functions_that_cannot_be_found(
    account: Account, code: str, handler: str, kind: str, message: str
) -> None:
    result = await account.run(code, handler=handler)
    assert isinstance(result, InitFailed)
    assert list(result.document.items()) == [
        ("errorMessage", message),
        ("errorType", kind),
        ("requestId", ""),
        ("stackTrace", []),
    ]
    output = messages(result, "stdout")
    assert output[-2].startswith("[WARNING]\t")
    assert "Z\t\tLAMBDA_WARNING: Unhandled exception. " in output[-2]
    assert output[-1] == f"[ERROR] {kind}: {message}\rTraceback (most recent call last):"


@rule("LR-006")
async def test_a_syntax_error_shows_the_line(account: Account) -> None:
    result = await account.run("def handler(:\n    pass\n")
    document = document_of(result)
    path = account.folder / "f" / "app.py"
    assert document["errorType"] == "Runtime.UserCodeSyntaxError"
    assert document["errorMessage"].startswith("Syntax error in module 'app': invalid syntax")
    assert document["errorMessage"].endswith("(app.py, line 1)")
    assert document["stackTrace"] == [f'  File "{path}" Line 1\n    def handler(:\n']


@rule("LR-008", "LR-081")
async def test_what_a_module_raises_keeps_its_name(account: Account) -> None:
    document = document_of(await account.run("1 / 0"))
    assert document["errorType"] == "ZeroDivisionError"
    assert document["requestId"] == ""
    *machinery, own = document["stackTrace"]
    assert any("importlib" in frame for frame in machinery)
    path = account.folder / "f" / "app.py"
    assert own == f'  File "{path}", line 1, in <module>\n    1 / 0\n'


@rule("LR-009", "LR-186", "LR-181")
async def test_the_module_is_imported_once(account: Account) -> None:
    await account.run(
        "count = 0\n"
        "def handler(event, context):\n"
        "    global count\n"
        "    count += 1\n"
        "    if event == 'fail': raise ValueError(count)\n"
        "    return count\n"
    )
    assert document_of(await account.call("fail"))["errorMessage"] == "2"
    assert value_of(await account.call()) == 3


@rule("LR-010")
async def test_a_coroutine_is_not_awaited(account: Account) -> None:
    document = document_of(await account.run("async def handler(event, context): return 1"))
    assert document["errorType"] == "Runtime.MarshalError"
    assert document["errorMessage"] == (
        "Unable to marshal response: Object of type coroutine is not JSON serializable"
    )


@rule("LR-010")
async def test_the_handler_is_called_with_positions(account: Account) -> None:
    assert value_of(await account.run("handler = lambda a, b: [a, type(b).__name__]", 5)) == [
        5,
        "LambdaContext",
    ]


@rule("LR-011")
async def test_code_root_is_the_folder_and_the_first_path(account: Account) -> None:
    code = "import os, sys\nhandler = lambda e, c: [os.getcwd(), sys.path[0]]"
    root = str(account.folder / "f")
    assert value_of(await account.run(code)) == [root, root]


@rule("LR-162")
async def test_time_zone_and_encoding(account: Account) -> None:
    code = """
import locale, sys, time
def handler(event, context):
    return [time.tzname[0], sys.getfilesystemencoding(), sys.stdout.encoding, sys.stdin.read()]
"""
    assert value_of(await account.run(code)) == ["UTC", "utf-8", "utf-8", ""]


async def test_installed_packages_can_be_imported(account: Account) -> None:
    code = "import yarl\nhandler = lambda e, c: str(yarl.URL('http://a') / 'b')"
    assert value_of(await account.run(code)) == "http://a/b"


async def test_urllib_parse_is_there_after_a_bare_import(account: Account) -> None:
    code = "import urllib\nhandler = lambda e, c: urllib.parse.quote('a b')"
    assert value_of(await account.run(code)) == "a%20b"


async def test_the_interpreter_looks_as_usual(account: Account) -> None:
    code = """
import builtins, sys
def handler(event, context):
    loaded = [name for name in ("edgeproxy", "json", "python_runtime") if name in sys.modules]
    return [loaded, hasattr(builtins, "exit"), len(sys.argv)]
"""
    assert value_of(await account.run(code)) == [[], True, 1]


async def test_the_channel_is_not_inherited_by_children(account: Account) -> None:
    code = """
import subprocess
def handler(event, context):
    command = "if true <&3; then echo open; else echo closed; fi"
    return subprocess.run(command, shell=True, close_fds=False, capture_output=True, text=True
        ).stdout.strip()
"""
    assert value_of(await account.run(code)) == "closed"


@pytest.mark.parametrize(
    ("expression", "payload"),
    [
        pytest.param("{'a': 1, 'b': [1, 2]}", b'{"a": 1, "b": [1, 2]}', marks=rule("LR-022")),
        pytest.param(
            "{'a': 1, 'u': 'é', 'd': Decimal('1.50')}",
            '{"a": 1, "u": "é", "d": 1.50}'.encode(),
            marks=rule("LR-023", "LR-024"),
        ),
        pytest.param("[Decimal('NaN'), Decimal('-sNaN')]", b"[NaN, NaN]", marks=rule("LR-024")),
        pytest.param(
            "[float('nan'), float('inf'), -float('inf')]",
            b"[NaN, Infinity, -Infinity]",
            marks=rule("LR-024"),
        ),
        # What AWS's encoder, simplejson, takes beyond the standard library's.
        pytest.param("{'body': b64encode(b'x')}", b'{"body": "eA=="}', marks=rule("LR-026")),
        pytest.param("[Point(1, [Point(2, 3)])]", b'[{"x": 1, "y": [{"x": 2, "y": 3}]}]'),
        pytest.param("{'a': Fields()}", b'{"a": {"x": {"x": 1, "y": 2}}}'),
        pytest.param("{1: 1, None: 2, True: 3, 0.5: 4}", b'{"1": 3, "null": 2, "0.5": 4}'),
        pytest.param("[OrderedDict(a=(1, 2)), Level.LOW, Name('n')]", b'[{"a": [1, 2]}, 1, "n"]'),
        pytest.param("b'\\x00raw'", b"\x00raw", marks=rule("LR-025")),
        pytest.param("None", b"null", marks=rule("LR-027")),
        pytest.param("'x' * 6291554", b'"' + b"x" * 6291554 + b'"', marks=rule("LR-321")),
    ],
)
async def test_results(account: Account, expression: str, payload: bytes) -> None:
    code = f"""
from base64 import b64encode
from collections import OrderedDict, namedtuple
from decimal import Decimal
from enum import IntEnum
Point = namedtuple("Point", "x y")
Level = IntEnum("Level", ["LOW"])
class Name(str): pass
class Fields:
    def _asdict(self): return {{"x": Point(1, 2)}}
def handler(event, context): return {expression}
"""
    result = await account.run(code)
    assert isinstance(result, Returned), result
    assert result.payload == payload


@rule("LR-023")
async def test_before_python_3_12_results_are_ascii(account: Account) -> None:
    result = await account.run("handler = lambda e, c: 'é'", runtime="python3.11")
    assert isinstance(result, Returned)
    assert result.payload == b'"\\u00e9"'


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("{1, 2}", "Object of type set is not JSON serializable"),
        ("{'a': {(1, 2): 3}}", "keys must be str, int, float, bool or None, not tuple"),
        ("loop", "Circular reference detected"),
        ("[loop, Point(1, loop)]", "maximum recursion depth exceeded"),
        ("[b'\\xff']", "'utf-8' codec can't decode byte 0xff in position 0"),
        ("datetime(2020, 1, 1)", "Object of type datetime is not JSON serializable"),
        ("Data()", "Object of type Data is not JSON serializable"),
        ("(n for n in [])", "Object of type generator is not JSON serializable"),
        ("'\\ud800'", "'utf-8' codec can't encode character"),
    ],
)
@rule("LR-026", "LR-186")
async def test_results_that_are_no_json(account: Account, expression: str, message: str) -> None:
    code = f"""
from collections import namedtuple
from dataclasses import dataclass
from datetime import datetime
loop = []; loop += [loop, loop]
Point = namedtuple("Point", "x y")
@dataclass
class Data: pass
def handler(e, c): return 1 if e else {expression}
"""
    result = await account.run(code)
    assert isinstance(result, FunctionError)
    document = document_of(result)
    assert document["errorType"] == "Runtime.MarshalError"
    assert document["errorMessage"].startswith(f"Unable to marshal response: {message}")
    assert document["requestId"] == result.request_id
    assert document["stackTrace"] == []
    after = await account.call(1)
    assert value_of(after) == 1
    assert "INIT_START" not in "".join(messages(after))


@rule("LR-021")
async def test_an_event_that_is_no_json(account: Account) -> None:
    await account.deploy("handler = lambda e, c: e")
    for payload in (b"{broken", b"", b"[1] 2", b'"\xff"'):
        document = document_of(await account.service.invoke("f", payload))
        assert document["errorType"] == "Runtime.UnmarshalError"
        assert document["errorMessage"].startswith("Unable to unmarshal input: ")


@pytest.mark.parametrize(
    "text",
    ['{"a": [1.5, true, null, "é\\n"]}', " [1]\n", '"\\ud83d\\ude00"', "NaN", "-0.0", "1e400"],
)
@rule("LR-020")
async def test_events_are_parsed_as_json(account: Account, text: str) -> None:
    await account.deploy("handler = lambda e, c: repr(e)")
    result = await account.service.invoke("f", text.encode())
    assert value_of(result) == repr(json.loads(text))


@rule("LR-080", "LR-081", "LR-082", "LE-RET-10")
async def test_the_error_document(account: Account) -> None:
    code = """class Mine(Exception): pass

def inner():
    raise Mine("boom")

def handler(event, context):
    inner()
"""
    result = await account.run(code)
    path = account.folder / "f" / "app.py"
    assert isinstance(result, FunctionError)
    assert list(result.document.items()) == [
        ("errorMessage", "boom"),
        ("errorType", "Mine"),
        ("requestId", result.request_id),
        (
            "stackTrace",
            [
                f'  File "{path}", line 7, in handler\n    inner()\n',
                f'  File "{path}", line 4, in inner\n    raise Mine("boom")\n',
            ],
        ),
    ]


@rule("LR-100", "LR-103", "LR-104", "LR-107", "LE-RET-04")
async def test_the_context(account: Account) -> None:
    code = """
def handler(event, context):
    return {name: getattr(context, name) for name in event} | {
        "identity": [context.identity.cognito_identity_id,
                     context.identity.cognito_identity_pool_id],
        "left": context.get_remaining_time_in_millis(),
    }
"""
    names = [
        "aws_request_id",
        "log_group_name",
        "log_stream_name",
        "function_name",
        "memory_limit_in_mb",
        "function_version",
        "invoked_function_arn",
        "tenant_id",
        "client_context",
    ]
    result = await account.run(code, names, memory_mb=256)
    context = value_of(result)
    left = context.pop("left")
    stream = context.pop("log_stream_name")
    assert context == {
        "aws_request_id": result.request_id,
        "log_group_name": "/aws/lambda/f",
        "function_name": "f",
        "memory_limit_in_mb": "256",
        "function_version": "$LATEST",
        "invoked_function_arn": ARN + "f",
        "tenant_id": None,
        "client_context": None,
        "identity": [None, None],
    }
    assert "/[$LATEST]" in stream
    assert isinstance(left, int)
    assert 2000 < left <= 3000


@rule("LR-100", "LR-103", "LR-104")
async def test_the_context_prints_as_on_aws(account: Account) -> None:
    code = "handler = lambda e, c: [repr(c), c.aws_request_id, c.log_stream_name]"
    sent = '{"custom": {"a": 1}, "client": {"app_title": "t"}}'
    await account.deploy(code)
    told, request_id, stream = value_of(await account.call(client_context=sent))
    assert told == (
        f"LambdaContext([aws_request_id={request_id},log_group_name=/aws/lambda/f,"
        f"log_stream_name={stream},function_name=f,memory_limit_in_mb=128,"
        f"function_version=$LATEST,invoked_function_arn={ARN}f,"
        "client_context=ClientContext([custom={'a': 1},env=None,client=Client(["
        "installation_id=None,app_title=t,app_version_name=None,app_version_code=None,"
        "app_package_name=None])]),identity=CognitoIdentity([cognito_identity_id=None,"
        "cognito_identity_pool_id=None]),tenant_id=None])"
    )


@rule("LI-020", "LR-100")
async def test_the_tenant(account: Account) -> None:
    await account.deploy("handler = lambda e, c: c.tenant_id")
    assert value_of(await account.call(tenant_id="blue")) == "blue"
    assert value_of(await account.call()) is None


@rule("LR-101")
async def test_remaining_time_is_real_whatever_the_clock_says(account: Account) -> None:
    account.clock.advance(86400)
    code = "handler = lambda e, c: c.get_remaining_time_in_millis()"
    assert 2000 < value_of(await account.run(code)) <= 3000


@pytest.mark.parametrize(
    ("qualifier", "arn", "version"),
    [
        ("", "f", "$LATEST"),
        ("$LATEST", "f:$LATEST", "$LATEST"),
        ("2", "f:2", "2"),
        ("live", "f:live", "1"),
    ],
)
@rule("LR-107")
async def test_the_arn_echoes_the_qualifier(
    account: Account, qualifier: str, arn: str, version: str
) -> None:
    code = "handler = lambda e, c: [c.invoked_function_arn, c.function_version]"
    await account.deploy(code, versions=("1", "2"), aliases={"live": "1"})
    assert value_of(await account.call(qualifier=qualifier)) == [ARN + arn, version]


@rule("LR-104", "LR-106")
async def test_the_client_context(account: Account) -> None:
    code = """
def handler(event, context):
    c = context.client_context
    return [c.custom, c.env, c.client.installation_id, c.client.app_title, context.w3c()]
"""
    await account.deploy(code)
    text = json.dumps(
        {
            "custom": {"a": 1},
            "client": {"installation_id": "i"},
            "w3c": {"traceparent": "00-1", "other": "x"},
        },
        indent=1,
    )
    result = await account.call(client_context=text)
    assert value_of(result) == [{"a": 1}, None, "i", None, {"traceparent": "00-1"}]


async def test_the_context_tells_what_the_variables_say_by_then(account: Account) -> None:
    code = """
import os
def handler(event, context):
    if event == 'another':
        os.environ = {'AWS_LAMBDA_FUNCTION_NAME': 'another'}
    elif event:
        os.environ['AWS_LAMBDA_FUNCTION_NAME'] = event
    return [context.function_name, context.memory_limit_in_mb]
"""
    await account.deploy(code)
    told = [value_of(await account.call(event)) for event in ("g", "g", "h", "another", "")]
    assert [name for name, _ in told] == ["f", "g", "g", "h", "another"]
    assert told[-1] == ["another", None]


@rule("LR-105")
async def test_a_broken_client_context(account: Account) -> None:
    await account.deploy("handler = lambda e, c: 1")
    document = document_of(await account.call(client_context="{"))
    assert document["errorType"] == "Runtime.LambdaContextUnmarshalError"
    assert document["errorMessage"].startswith("Unable to parse Client Context JSON: ")


@rule("LI-272")
async def test_the_trace_header_is_a_variable_in_the_handler(account: Account) -> None:
    code = """
        import os
        seen = [os.environ.get("_X_AMZN_TRACE_ID")]
        def handler(event, context):
            return [*seen, os.environ["_X_AMZN_TRACE_ID"]]
    """
    await account.deploy(dedent(code))
    at_load, in_handler = value_of(await account.call(trace_id="Root=1-2-3;Sampled=1"))
    assert at_load is None
    assert re.fullmatch("Root=1-2-3;Parent=[0-9a-f]{16};Sampled=1", in_handler)
