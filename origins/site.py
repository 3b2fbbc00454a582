"""A small static site in two variants, with Cache-Control and ETag.

    python origins/site.py --port 9000 --variant b

Pages may be kept for --max-age seconds, everything else for a day. ``/`` is ``/index.html``.
"""

import argparse
import hashlib
import mimetypes
from pathlib import Path

from aiohttp import ETag, web

SITE = Path(__file__).parent / "site"


def app(folder: Path, max_age: int) -> web.Application:
    async def serve(request: web.Request) -> web.Response:
        file = (folder / (request.match_info["path"] or "index.html")).resolve()
        if not (file.is_relative_to(folder.resolve()) and file.is_file()):
            return web.Response(status=404, text="There is no such page.\n")
        content = file.read_bytes()
        answer = web.Response(
            body=content, content_type=mimetypes.guess_type(file.name)[0] or "text/plain"
        )
        seconds = max_age if file.suffix == ".html" else 86_400
        answer.headers["Cache-Control"] = f"public, max-age={seconds}"
        answer.etag = ETag(hashlib.sha256(content).hexdigest()[:16])
        answer.last_modified = int(file.stat().st_mtime)
        if request.if_none_match and answer.etag in request.if_none_match:
            answer.set_status(304)
            answer.body = None
        return answer

    made = web.Application()
    made.router.add_get("/{path:.*}", serve)
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--variant", choices=["a", "b"], default="a")
    parser.add_argument("--max-age", type=int, default=60, help="seconds that pages may be kept")
    options = parser.parse_args()
    web.run_app(app(SITE / options.variant, options.max_age), host="127.0.0.1", port=options.port)
