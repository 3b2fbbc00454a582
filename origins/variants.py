"""Pages that come in two variants: which one, the request says.

    python origins/variants.py --port 9000

Variant b is for requests with the cookie ``ab=b`` or the header ``X-Variant: b``, and for paths
below ``/b/``; everything else is a. With --variant all is that variant. Pages may be kept for
--max-age seconds. With --leak-one-in 1000 about one answer of a thousand is the other variant's:
what an experiment is to find.
"""

import argparse
import random

from aiohttp import web


def app(variant: str, max_age: int, leak_one_in: int) -> web.Application:
    async def serve(request: web.Request) -> web.Response:
        is_b = (
            request.cookies.get("ab") == "b"
            or request.headers.get("X-Variant") == "b"
            or request.path.startswith("/b/")
        )
        if leak_one_in and not random.randrange(leak_one_in):
            is_b = not is_b
        side = variant or ("b" if is_b else "a")
        return web.Response(
            text=f"<!doctype html>\n<title>Shop</title>\n<h1>Variant {side}</h1>\n",
            content_type="text/html",
            headers={"Cache-Control": f"max-age={max_age}", "X-Served-Variant": side},
        )

    made = web.Application()
    made.router.add_get("/{path:.*}", serve)
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--variant", choices=["a", "b"], default="")
    parser.add_argument("--max-age", type=int, default=60, help="seconds that pages may be kept")
    parser.add_argument("--leak-one-in", type=int, default=0, help="0 for never")
    options = parser.parse_args()
    made = app(options.variant, options.max_age, options.leak_one_in)
    web.run_app(made, host="127.0.0.1", port=options.port)
