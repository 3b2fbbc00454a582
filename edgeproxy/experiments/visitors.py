"""Synthetic visitors: who they are, when they come, and the cookies that they keep."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

from edgeproxy.chance import Chance

__all__ = ["DEVICES", "CookieJar", "Visitor", "population"]

_COUNTRIES: Final = {
    "US": 30, "DE": 12, "GB": 10, "IN": 10, "BR": 8, "JP": 8, "FR": 8, "CA": 5, "AU": 5, "ZA": 4,
}  # fmt: skip
_LANGUAGES: Final = {
    "US": "en-US,en;q=0.9", "DE": "de-DE,de;q=0.9,en;q=0.7", "GB": "en-GB,en;q=0.9",
    "IN": "en-IN,hi;q=0.8", "BR": "pt-BR,pt;q=0.9", "JP": "ja-JP,ja;q=0.9", "FR": "fr-FR,fr;q=0.9",
    "CA": "en-CA,fr-CA;q=0.8", "AU": "en-AU,en;q=0.9", "ZA": "en-ZA,af;q=0.7",
}  # fmt: skip
_USER_AGENTS: Final = {
    "desktop": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36",
    "mobile": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
}
_SHARES: Final = {"desktop": 45, "mobile": 50, "tablet": 5}
DEVICES: Final = tuple(_USER_AGENTS)


class CookieJar:
    """The cookies that one site set, as a browser would send them to it (RFC 6265, 5.3 and 5.4).

    All requests are for one host, so ``Domain`` does not matter. Times are those of the edge.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[str, float | None]] = {}

    @property
    def names(self) -> set[str]:
        """Those of all cookies, ended or not."""
        return {name for name, _ in self._kept}

    def header(self, path: str, now: float) -> str:
        """The value of ``Cookie`` for a request of ``path``; longer paths' cookies come first."""
        fitting = sorted(
            (-len(where), name, value)
            for (name, where), (value, until) in self._kept.items()
            if (until is None or until > now) and _covers(where, path)
        )
        return "; ".join(f"{name}={value}" for _, name, value in fitting)

    def value(self, name: str, path: str, now: float) -> str | None:
        """What a request of ``path`` would send as cookie ``name``."""
        best: tuple[int, str] | None = None
        for (kept, where), (value, until) in self._kept.items():
            if kept == name and (until is None or until > now) and _covers(where, path):
                best = max(best or (0, ""), (len(where), value))
        return None if best is None else best[1]

    def store(self, lines: Iterable[str], path: str, now: float) -> None:
        """Keep what the ``Set-Cookie`` lines of an answer to a request of ``path`` say."""
        for line in lines:
            pair, *attributes = (piece.strip() for piece in line.split(";"))
            name, separator, value = pair.partition("=")
            if not separator or not name.strip():
                continue
            given = {}
            for attribute in attributes:
                key, _, text = attribute.partition("=")
                given[key.strip().lower()] = text.strip()
            where = given.get("path", "")
            if not where.startswith("/"):
                where = path.rpartition("/")[0] or "/"
            until = _end(given, now)
            key_ = (name.strip(), where)
            if until is not None and until <= now:
                self._kept.pop(key_, None)
            else:
                self._kept[key_] = (value.strip(), until)


def _covers(where: str, path: str) -> bool:
    return path == where or path.startswith(where if where.endswith("/") else where + "/")


def _end(given: Mapping[str, str], now: float) -> float | None:
    """When a cookie ends, in seconds since the epoch; None at the end of the session."""
    age = given.get("max-age", "")
    if re.fullmatch("-?[0-9]{1,15}", age):
        return now + int(age) if int(age) > 0 else 0.0
    if "expires" in given:
        try:
            return parsedate_to_datetime(given["expires"]).timestamp()
        except ValueError:
            return None
    return None


@dataclass(slots=True, eq=False)
class Visitor:
    """One synthetic visitor, and what was seen of them so far."""

    number: int
    ip: str
    country: str
    device: str
    headers: tuple[tuple[str, str], ...]
    jar: CookieJar = field(default_factory=CookieJar)
    sends: tuple[str, str] | None = None
    """A header that says which side they are on."""
    variant: str | None = None
    """The side on which they were seen first."""
    seen: str | None = None
    """The side on which they were seen last."""
    switched: bool = False
    undeclared: bool = False
    """Whether they were on a side that is not declared."""

    @property
    def local_headers(self) -> tuple[tuple[str, str], ...]:
        """What tells the local edge who they are."""
        return (
            ("x-edgeproxy-viewer-ip", self.ip),
            ("x-edgeproxy-viewer-country", self.country),
        )


def population(count: int, seed: int) -> Iterator[Visitor]:
    """``count`` visitors, the same for the same seed. Their addresses are of 198.18.0.0/15.

    That network (RFC 2544, for measurements) is nobody's.
    """
    chance = Chance(seed)
    countries, devices = list(_COUNTRIES), list(_SHARES)
    for number in range(count):
        country = chance.draw(countries, list(_COUNTRIES.values()))
        device = chance.draw(devices, list(_SHARES.values()))
        ip = f"198.{18 + (number >> 16) % 2}.{number >> 8 & 255}.{number & 255}"
        headers = (
            ("User-Agent", _USER_AGENTS[device]),
            ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
            ("Accept-Language", _LANGUAGES[country]),
            ("Accept-Encoding", "gzip, br"),
        )
        yield Visitor(number, ip, country, device, headers)
