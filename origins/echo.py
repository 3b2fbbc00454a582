"""An origin that answers with what it got, as JSON: the edge's request as the origin sees it.

    python origins/echo.py --port 9001

?status=404 sets the status; ?header=NAME:VALUE adds a response header and may be repeated.
"""

import argparse
import base64

from aiohttp import web


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    answer = web.json_response(
        {
            "method": request.method,
            "target": request.raw_path,
            "version": f"{request.version.major}.{request.version.minor}",
            "headers": [[name, value] for name, value in request.headers.items()],
            "body": base64.b64encode(body).decode("ascii"),
            "body_bytes": len(body),
        },
        status=int(request.query.get("status", "200")),
    )
    for line in request.query.getall("header", []):
        name, _, value = line.partition(":")
        answer.headers.add(name, value.strip())
    return answer


def app() -> web.Application:
    made = web.Application(client_max_size=2**30)
    made.router.add_route("*", "/{path:.*}", echo)
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9001)
    web.run_app(app(), host="127.0.0.1", port=parser.parse_args().port)
