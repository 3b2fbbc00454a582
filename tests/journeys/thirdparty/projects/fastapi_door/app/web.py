"""A FastAPI app as people put it behind a load balancer or a function URL."""

from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from mangum import Mangum

app = FastAPI()


@app.get("/items/{number}")
async def item(number: int, request: Request):
    q = request.query_params.getlist("q")
    return {"number": number, "q": q, "host": request.headers["host"]}


@app.get("/whoami")
async def whoami(request: Request):
    return {"cookies": request.cookies, "scheme": request.url.scheme}


@app.api_route("/login", methods=["GET", "HEAD"])
async def login():
    response = PlainTextResponse("hello")
    response.set_cookie("session", "s1", httponly=True)
    response.set_cookie("theme", "dark")
    return response


@app.post("/form")
async def form(request: Request):
    return parse_qs((await request.body()).decode())


@app.put("/bytes")
async def both(request: Request):
    return Response((await request.body())[::-1], 201, media_type="application/octet-stream")


@app.get("/framing")
async def framing():
    return Response("12345", headers={"Connection": "close", "X-Kept": "yes"})


@app.get("/old")
async def old():
    return RedirectResponse("/items/1?q=new", 302)


@app.get("/broken")
async def broken():
    raise LookupError("no such thing")


handler = Mangum(app)
