"""One URL as visitors of each side get it: what differs in status, headers and body."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

import aiohttp
from yarl import URL

from edgeproxy.errors import UsageError
from edgeproxy.exchange.text import carried

__all__ = ["Got", "differences", "fetched"]

_ANSWER_S: Final = 60
_MOST_BYTES: Final = 256 * 1024
_MOST_LINES: Final = 400
_MOST_COMPARED: Final = 5_000
"""Lines of a body: what it takes to compare them may grow with their square."""
_LONG: Final = 200
"""Characters of a line from which on its tags get lines of their own."""
_AROUND: Final = 2
_LOCAL: Final = "x-edgeproxy-"
_NEVER_ALIKE: Final = frozenset(
    {"age", "date", "x-amz-cf-id", "x-amzn-requestid", "x-amzn-trace-id"}
)
_HEADERS: Final = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Accept-Encoding": "gzip, br",
    "x-edgeproxy-explain": "1",
}


@dataclass(frozen=True, slots=True)
class Got:
    """What a visitor of a side got. ``body`` is uncompressed, and no more than its beginning."""

    variant: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_whole: bool
    exchange: str

    @property
    def x_cache(self) -> str:
        """How the cache took part; empty where there is none."""
        return next((value for name, value in self.headers if name.lower() == "x-cache"), "")


async def fetched(variant: str, url: str, host: str) -> Got:
    """What the viewer whose host name is ``host`` gets at ``url``. Raises ``UsageError``."""
    # The edge's certificate is its own.
    connector = aiohttp.TCPConnector(ssl=False)
    timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(
                URL(url, encoded=True), headers={**_HEADERS, "Host": host}, allow_redirects=False
            ) as response,
        ):
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _MOST_BYTES:
                    break
            lines = tuple(
                line for line in response.headers.items() if not line[0].lower().startswith(_LOCAL)
            )
            exchange = response.headers.get("x-edgeproxy-exchange", "")
            is_whole = len(body) <= _MOST_BYTES
            kept = bytes(body[:_MOST_BYTES])
            return Got(variant, response.status, lines, kept, is_whole, exchange)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        why = str(error) or f"no answer within {_ANSWER_S} s"
        raise UsageError(f"{url} cannot be asked for: {why}") from error


async def differences(answers: Sequence[Got]) -> dict[str, Any]:
    """Header by header, and each body against the first, as JSON."""
    first, *others = answers
    return {
        "headers": carried(_headers(answers)),
        "bodies": [await asyncio.to_thread(_body, first, other) for other in others],
    }


def _headers(answers: Iterable[Got]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    variants = [each.variant for each in answers]
    for answer in answers:
        seen: Counter[tuple[str, str]] = Counter()
        for name, value in answer.headers:
            lower = name.lower()
            # Cookies are told apart by their names, other lines by their order.
            own = value.partition("=")[0] if lower == "set-cookie" else ""
            at = seen[lower, own]
            seen[lower, own] += 1
            row = rows.setdefault((lower, own, at), {"name": name, "values": {}})
            row["values"][answer.variant] = value
    for (name, *_), row in rows.items():
        row["values"] = {each: row["values"].get(each) for each in variants}
        row["differs"] = len(set(row["values"].values())) > 1
        row["changes"] = name in _NEVER_ALIKE
    return list(rows.values())


def _body(first: Got, other: Got) -> dict[str, Any]:
    document: dict[str, Any] = {
        "variants": [first.variant, other.variant],
        "same": first.body == other.body and first.is_whole == other.is_whole,
        "lines": [],
        "cut": not (first.is_whole and other.is_whole),
    }
    texts = [_lines(each.body) for each in (first, other)]
    if texts[0] is None or texts[1] is None:
        return {**document, "lines": None}
    document["cut"] |= any(len(text) > _MOST_COMPARED for text in texts if text)
    lines = _line_differences(texts[0][:_MOST_COMPARED], texts[1][:_MOST_COMPARED])
    document["cut"] |= len(lines) > _MOST_LINES
    return {**document, "lines": lines[:_MOST_LINES]}


def _lines(body: bytes) -> list[str] | None:
    """None for what is no text."""
    if b"\0" in body:
        return None
    lines = body.decode("utf-8", "replace").splitlines()
    return [
        piece
        for line in lines
        for piece in (re.sub(">(?=<)", ">\n", line).split("\n") if len(line) > _LONG else [line])
    ]


def _line_differences(before: list[str], after: list[str]) -> list[tuple[str, str]]:
    """Lines with their signs: ``-``, ``+``, a blank, and ``…`` for what is left out."""
    found: list[tuple[str, str]] = []
    for group in SequenceMatcher(None, before, after).get_grouped_opcodes(_AROUND):
        if found or group[0][1]:
            found.append(("…", ""))
        for kind, start, end, start_after, end_after in group:
            if kind == "equal":
                found += [(" ", line) for line in before[start:end]]
                continue
            found += [("-", line) for line in before[start:end]]
            found += [("+", line) for line in after[start_after:end_after]]
    return found
