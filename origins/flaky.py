"""An origin that fails every n-th request.

    python origins/flaky.py --port 9003 --every 3 --how 503

--how is a status (500, 503, ...) or ``reset``, which cuts the connection without an answer.
"""

import argparse
from itertools import count

from aiohttp import web


def app(every: int, how: str) -> web.Application:
    numbers = count(1)

    async def flaky(request: web.Request) -> web.Response:
        number = next(numbers)
        if number % every:
            return web.Response(text=f"request {number}: fine\n")
        if how != "reset":
            return web.Response(status=int(how), text=f"request {number}: failed on purpose\n")
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    made = web.Application()
    made.router.add_route("*", "/{path:.*}", flaky)
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9003)
    parser.add_argument("--every", type=int, default=3, help="which requests fail (1: all)")
    parser.add_argument("--how", default="503")
    options = parser.parse_args()
    web.run_app(app(options.every, options.how), host="127.0.0.1", port=options.port)
