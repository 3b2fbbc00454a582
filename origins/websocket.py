"""A WebSocket origin: a page that talks to an echo.

    python origins/websocket.py --port 9005

/ and /chat  the page
/ws          sends every message back
"""

import argparse

from aiohttp import WSMsgType, web

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Echo</title>
<style>
  body { max-width: 34rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui; }
  form { display: flex; gap: 0.5rem; }
  input { flex: 1; padding: 0.5rem; font: inherit; }
  button { padding: 0.5rem 1rem; font: inherit; }
  li { margin: 0.25rem 0; }
</style>
<h1>Echo</h1>
<p id="state" role="status">connecting</p>
<form><input aria-label="Message" autofocus><button>Send</button></form>
<ul id="log"></ul>
<script>
  const input = document.querySelector("input");
  const log = (text) => {
    const line = document.createElement("li");
    line.textContent = text;
    document.getElementById("log").prepend(line);
  };
  const state = (text) => { document.getElementById("state").textContent = text; };
  const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws");
  socket.onopen = () => state("connected");
  socket.onclose = () => state("closed");
  socket.onmessage = (event) => log("origin: " + event.data);
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    socket.send(input.value);
    log("you: " + input.value);
    input.value = "";
  };
</script>
</html>
"""


async def page(request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def talk(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


def app() -> web.Application:
    made = web.Application()
    made.router.add_get("/", page)
    made.router.add_get("/chat", page)
    made.router.add_get("/ws", talk)
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9005)
    web.run_app(app(), host="127.0.0.1", port=parser.parse_args().port)
