import ast
import inspect
from types import ModuleType

import pytest
from aiohttp import http_parser, web, web_protocol

from edgeproxy.server import connection as connection_module
from edgeproxy.server import (
    http1,
    inside_aiohttp,
    plain,
    plain_connection,
    reading,
    repeating,
    websocket,
    writing,
)
from edgeproxy.server.connection import Connection
from edgeproxy.server.http1 import ViewerConnection
from edgeproxy.server.inside_aiohttp import missing_from_aiohttp
from edgeproxy.server.plain_connection import PlainConnection
from edgeproxy.server.repeating import RepeatingConnection

CONNECTIONS = (
    (connection_module, Connection),
    (repeating, RepeatingConnection),
    (http1, ViewerConnection),
)


def test_this_aiohttp_will_do() -> None:
    assert missing_from_aiohttp() == ()


@pytest.mark.parametrize("name", inside_aiohttp.CONNECTION_NAMES)
def test_each_name_of_a_connection_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = dict.fromkeys(
        set(dir(web.RequestHandler)) - {"__class__", "__dict__", "__slots__", name}
    )
    monkeypatch.setattr(web, "RequestHandler", type("RequestHandler", (), names))
    assert missing_from_aiohttp() == (name,)


@pytest.mark.parametrize("name", inside_aiohttp.MODULE_NAMES)
def test_each_name_of_the_module_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(web_protocol, name)
    assert missing_from_aiohttp() == (name,)


def test_the_parser_in_c_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    assert missing_from_aiohttp() == ("parser in C",)


def test_the_list_names_all_that_is_used_and_nothing_else() -> None:
    used: set[str] = set()
    own: set[str] = set()
    for module, connection in CONNECTIONS:
        own |= vars(connection).keys()
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            match node:
                case ast.Attribute(value=ast.Name(id="self"), attr=name) if name.startswith("_"):
                    used.add(name)
    assert used - own == set(inside_aiohttp.CONNECTION_NAMES)


@pytest.mark.parametrize("module", [plain, plain_connection, reading, websocket, writing])
def test_what_serves_instead_uses_nothing_private(module: ModuleType) -> None:
    own = {"_server"}  # of a class that inherits nothing
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.ImportFrom(module=str(source), names=names) if source.startswith("aiohttp"):
                assert not [name.name for name in names if name.name.startswith("_")]
            case ast.Attribute(attr=name) if module in (plain, plain_connection):
                assert not name.startswith("_") or name.startswith("__") or name in own


def test_its_own_names_are_none_of_aiohttps() -> None:
    assert set(PlainConnection.__slots__).isdisjoint(dir(web.RequestHandler))
