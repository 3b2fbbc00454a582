"""What calls of the control listener's API have in common: JSON in and out, numbers, refusals."""

import re
from typing import Final

import orjson
from aiohttp import web

__all__ = ["Problem", "answered", "number", "object_of", "pairs", "refused"]

_MAX_LIMIT: Final = 1000


class Problem(Exception):
    """A call that cannot be answered: becomes the API's error document."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @classmethod
    def argument(cls, message: str) -> "Problem":
        """An argument that is not what it should be."""
        return cls(400, "InvalidArgument", message)

    @classmethod
    def no_exchange(cls) -> "Problem":
        """A record that is not there, or not any more."""
        return cls(404, "NoSuchExchange", "no exchange of that ID is kept")


def answered(document: object, status: int = 200) -> web.Response:
    """``document`` as JSON."""
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def refused(status: int, code: str, message: str) -> web.Response:
    """The API's error document."""
    return answered({"error": {"code": code, "message": message}}, status)


def number(request: web.Request, name: str, default: int, most: int = _MAX_LIMIT) -> int:
    """A number from 1 to ``most`` out of the query string. Raises :class:`Problem`."""
    text = request.query.get(name, str(default))
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= most:
        raise Problem.argument(f"{name} must be a number from 1 to {most}")
    return int(text)


async def object_of(request: web.Request) -> dict[str, object]:
    """The JSON object that a call sends. Raises :class:`Problem`.

    Its type must be said: a page of another site cannot say it without asking this listener first.
    """
    if request.content_type != "application/json":
        raise Problem(415, "UnsupportedMediaType", "send Content-Type: application/json")
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise Problem(400, "InvalidJson", f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Problem.argument("the body must be a JSON object")
    return body


def pairs(value: object, name: str) -> tuple[tuple[str, str], ...]:
    """Header lines of a JSON document. Raises :class:`Problem`."""
    found = []
    for pair in value if isinstance(value, list) else [value]:
        match pair:
            case [str(key), str(text)]:
                found.append((key, text))
            case _:
                raise Problem.argument(f"{name} must be a list of [name, value] pairs")
    return tuple(found)
