import ast
import inspect

import pytest
from aiohttp import http_parser, web, web_protocol

from edgeproxy.server import connection as connection_module
from edgeproxy.server import http1, inside_aiohttp
from edgeproxy.server.connection import Connection
from edgeproxy.server.http1 import ViewerConnection
from edgeproxy.server.inside_aiohttp import missing_from_aiohttp


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
    for module, connection in ((connection_module, Connection), (http1, ViewerConnection)):
        own |= vars(connection).keys()
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            match node:
                case ast.Attribute(value=ast.Name(id="self"), attr=name) if name.startswith("_"):
                    used.add(name)
    assert used - own == set(inside_aiohttp.CONNECTION_NAMES)
