"""An origin whose bodies come bit by bit.

    python origins/streaming.py --port 9004

/events?count=5&ms=200   server-sent events
/ticks?count=5&ms=200    a chunked body, one line at a time
/download?bytes=1000000  a body of that many bytes, with its length
"""

import argparse
import asyncio

from aiohttp import web

BLOCK = bytes(range(256)) * 1024


def pace(request: web.Request) -> tuple[int, float]:
    return int(request.query.get("count", "5")), float(request.query.get("ms", "200")) / 1000


async def events(request: web.Request) -> web.StreamResponse:
    number, pause_s = pace(request)
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    answer = web.StreamResponse(headers=headers)
    await answer.prepare(request)
    for event in range(1, number + 1):
        await answer.write(f"id: {event}\ndata: event {event} of {number}\n\n".encode())
        await asyncio.sleep(pause_s)
    return answer


async def ticks(request: web.Request) -> web.StreamResponse:
    number, pause_s = pace(request)
    answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    for tick in range(1, number + 1):
        await answer.write(f"tick {tick}\n".encode())
        await asyncio.sleep(pause_s)
    return answer


async def download(request: web.Request) -> web.StreamResponse:
    left = int(request.query.get("bytes", "1000000"))
    answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    answer.content_length = left
    await answer.prepare(request)
    while left:
        block = BLOCK[:left]
        await answer.write(block)
        left -= len(block)
    return answer


def app() -> web.Application:
    made = web.Application()
    made.router.add_get("/events", events)
    made.router.add_get("/ticks", ticks)
    made.router.add_get("/download", download)
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9004)
    web.run_app(app(), host="127.0.0.1", port=parser.parse_args().port)
