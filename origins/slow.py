"""An origin that takes its time.

    python origins/slow.py --port 9002

/?ms=1500            waits before it answers
/?ms=100&stall=5000  answers, sends half of the body, and waits before the other half
"""

import argparse
import asyncio

from aiohttp import web

BODY = b"worth waiting for\n"


async def slow(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(float(request.query.get("ms", "0")) / 1000)
    stall_s = float(request.query.get("stall", "0")) / 1000
    answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
    answer.content_length = len(BODY)
    await answer.prepare(request)
    await answer.write(BODY[:9])
    await asyncio.sleep(stall_s)
    await answer.write(BODY[9:])
    return answer


def app() -> web.Application:
    made = web.Application()
    made.router.add_get("/{path:.*}", slow)
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9002)
    web.run_app(app(), host="127.0.0.1", port=parser.parse_args().port)
