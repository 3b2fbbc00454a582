import ast
import inspect

import pytest
from aiohttp import http_parser

from edgeproxy.errors import UsageError
from edgeproxy.server import connection as connection_module
from edgeproxy.server import http1, inside_aiohttp
from edgeproxy.server.connection import Connection
from edgeproxy.server.http1 import ViewerConnection
from edgeproxy.server.inside_aiohttp import check_aiohttp


def test_this_aiohttp_will_do() -> None:
    check_aiohttp()


def test_a_missing_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside_aiohttp, "CONNECTION_NAMES", ("_parser", "_gone"))
    with pytest.raises(UsageError, match=r"aiohttp \d.* has no _gone"):
        check_aiohttp()


def test_the_parser_in_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(UsageError, match="without its parser in C"):
        check_aiohttp()


def test_the_list_names_all_that_is_used_and_nothing_else() -> None:
    used: set[str] = set()
    own: set[str] = set()
    for module, connection in ((connection_module, Connection), (http1, ViewerConnection)):
        own |= vars(connection).keys()
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            match node:
                case ast.Attribute(value=ast.Name(id="self"), attr=name) if name.startswith("_"):
                    used.add(name)
    assert used - own == set(inside_aiohttp.CONNECTION_NAMES)
