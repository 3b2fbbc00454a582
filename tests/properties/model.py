"""What the cache ought to do, said a second time and as simply as possible.

The model knows one viewer at a time, whole objects, and two behaviors that differ in MinTTL. It
predicts how the edge answers a request, from what the origin would say if it were asked.
"""

from dataclasses import dataclass, field, replace

__all__ = ["CONTROLS", "DEFAULT_TTL_S", "MAX_TTL_S", "MIN_TTL_S", "Model", "Page", "Predicted"]

DEFAULT_TTL_S, MAX_TTL_S = 40, 1000
MIN_TTL_S = 15
"""Of paths under ``/min/``; elsewhere it is 0."""

CONTROLS: dict[str, dict[str, int]] = {
    "": {},
    "public, max-age=20": {"age": 20},
    "s-maxage=5, max-age=50": {"age": 5},
    "max-age=0": {"age": 0},
    "max-age=5000": {"age": 5000},
    "no-cache": {},
    "no-store": {},
    "private, max-age=20": {"age": 20},
    "max-age=10, stale-while-revalidate=20": {"age": 10, "while": 20},
    "max-age=10, stale-if-error=15": {"age": 10, "error": 15},
    "max-age=10, stale-if-error=0": {"age": 10, "error": 0},
    "max-age=10, stale-while-revalidate=2000, stale-if-error=2000": {
        "age": 10,
        "while": 2000,
        "error": 2000,
    },
}
"""What origins of the model may say, and the seconds in it."""


@dataclass(frozen=True)
class Page:
    """What the origin has under a path at the moment."""

    version: int = 0
    control: str = ""
    tagged: bool = True
    """It has an ETag, and answers conditions."""
    status: int = 200
    """502: it breaks the connection, and the edge makes a page of its own."""

    @property
    def body(self) -> bytes:
        return f"<version {self.version:04} of it, {self.status}>".encode()

    @property
    def error_ttl_s(self) -> int:
        return 5 if self.status == 503 else 10

    @property
    def etag(self) -> str:
        return f'"{self.version}"' if self.tagged and self.status == 200 else ""


@dataclass(frozen=True)
class Stored:
    """An object, with the ends of its times."""

    page: Page
    at: float
    fresh: float
    while_revalidating: float
    on_error: float
    retry: float = 0.0


@dataclass(frozen=True)
class Predicted:
    """An answer. ``age_s`` None is an answer without Age."""

    x_cache: str
    status: int
    body: bytes
    age_s: int | None = None
    asks: int = 0
    """How often the origin is asked, in the background included."""


@dataclass
class Model:
    """One edge location in front of one origin."""

    pages: dict[str, Page] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    now: float = 0.0

    def invalidate(self, pattern: str) -> int:
        """Forget what ``pattern`` names; how many objects that were."""
        gone = [
            target
            for target in self.stored
            if target == pattern or (pattern[-1] == "*" and target.startswith(pattern[:-1]))
        ]
        for target in gone:
            del self.stored[target]
        return len(gone)

    def ask(
        self, method: str, target: str, *, tag: str = "", part: tuple[int, int] | None = None
    ) -> Predicted:
        """The answer to a viewer with ``If-None-Match: tag`` and ``Range: bytes=part``."""
        if method == "POST":
            page = self.page(target)
            return Predicted(
                "Error" if page.status >= 400 else "Miss", page.status, page.body, asks=1
            )
        kept = self.stored.get(target)
        if kept is not None and self.now >= kept.fresh and kept.page.status >= 400:
            kept = None
        if kept is None:
            return self._miss(method, target, tag)
        age_s = int(self.now - kept.at)
        if self.now < kept.fresh or self.now < min(kept.retry, kept.on_error):
            return _shaped("Hit", method, kept.page, tag, part, age_s)
        if self.now < kept.while_revalidating:
            if method == "GET":
                self._revalidate(target, kept)
            shaped = _shaped("Hit", method, kept.page, tag, part, age_s)
            return replace(shaped, asks=int(method == "GET"))
        served = self._revalidate(target, kept, may_store=method == "GET")
        if served is None:
            page = self.page(target)
            if not kept.page.etag and tag and tag == page.etag:
                return Predicted("Miss", 304, b"", asks=1)  # the viewer's own condition
            return _passed(method, page)
        outcome, page = served
        age = age_s if outcome == "Hit" else None
        return replace(_shaped(outcome, method, page, tag, part, age), asks=1)

    def is_revalidated_aside(self, target: str) -> bool:
        """Whether the next viewer gets a stale object while the origin is asked for later ones."""
        kept = self.stored.get(target)
        return kept is not None and kept.fresh <= self.now < kept.while_revalidating

    def page(self, target: str) -> Page:
        """What the origin has for ``target``; the query string makes no difference to it."""
        return self.pages.setdefault(target.partition("?")[0], Page())

    def _miss(self, method: str, target: str, tag: str) -> Predicted:
        page = self.page(target)
        if tag and tag == page.etag:
            return Predicted("Miss", 304, b"", asks=1)
        if method == "GET":
            self._keep(target, page)
        return _passed(method, page)

    def _revalidate(
        self, target: str, kept: Stored, *, may_store: bool = True
    ) -> tuple[str, Page] | None:
        """Ask with the stored tag. None: the answer is the origin's own."""
        page = self.page(target)
        if page.etag and page.etag == kept.page.etag:
            # The 304 brings its headers; one that it does not bring stays as it was.
            renewed = replace(page, control=page.control or kept.page.control)
            if not self._keep(target, renewed):
                del self.stored[target]
            return "RefreshHit", renewed
        if page.status >= 500 and self.now < kept.on_error:
            retry = self.now + page.error_ttl_s
            self.stored[target] = replace(kept, retry=retry)
            return "Hit", kept.page
        if may_store and not self._keep(target, page) and page.status < 400:
            del self.stored[target]  # A new version that may not be stored (CDN-VAL-04).
        return None

    def _keep(self, target: str, page: Page) -> bool:
        min_ttl_s = MIN_TTL_S if target.startswith("/min/") else 0
        said = CONTROLS[page.control]
        forbidden = page.control.partition(",")[0] in ("no-store", "no-cache", "private")
        asked = said.get("age", DEFAULT_TTL_S)
        if page.status >= 400:
            return self._keep_error(target, page, said.get("age"), forbidden)
        if forbidden and not min_ttl_s and page.control != "no-cache":
            return False
        ttl_s = min_ttl_s if forbidden else min(max(asked, min_ttl_s), MAX_TTL_S)
        fresh = self.now + ttl_s
        self.stored[target] = Stored(
            page,
            self.now,
            fresh,
            fresh + min(said.get("while", 0), MAX_TTL_S - ttl_s),
            fresh + min(said["error"], MAX_TTL_S) if "error" in said else float("inf"),
        )
        return True

    def _keep_error(self, target: str, page: Page, age_s: int | None, forbidden: bool) -> bool:
        if page.status not in (404, 500, 502, 503) and not (
            page.status == 403 and age_s is not None
        ):
            return False
        if page.status == 404 and forbidden:
            return False
        asked = 0 if forbidden else age_s or 0
        fresh = self.now + min(max(page.error_ttl_s, asked), MAX_TTL_S)
        self.stored[target] = Stored(page, self.now, fresh, fresh, fresh)
        return True


def _passed(method: str, page: Page) -> Predicted:
    """The origin's own answer; it ignores ranges."""
    body = b"" if method == "HEAD" else page.body
    return Predicted("Error" if page.status >= 400 else "Miss", page.status, body, asks=1)


def _shaped(
    x_cache: str,
    method: str,
    page: Page,
    tag: str,
    part: tuple[int, int] | None,
    age_s: int | None,
) -> Predicted:
    """What a viewer gets of a stored object."""
    if page.status >= 400:
        return Predicted("Error", page.status, b"" if method == "HEAD" else page.body, age_s)
    if tag and tag == page.etag:
        return Predicted(x_cache, 304, b"", age_s)
    if method == "HEAD":
        return Predicted(x_cache, 200, b"", age_s)
    if part is None:
        return Predicted(x_cache, 200, page.body, age_s)
    if part[0] >= len(page.body):
        return Predicted("Error", 416, b"", None)
    return Predicted(x_cache, 206, page.body[part[0] : part[1] + 1], age_s)
