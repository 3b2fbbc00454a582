"""A FastAPI app at the edge, through Mangum as it is published."""

from typing import Annotated

from fastapi import Cookie, FastAPI, Header, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from mangum import Mangum
from pydantic import BaseModel, Field

app = FastAPI()


class Order(BaseModel):
    sku: str
    count: int = Field(gt=0)


@app.get("/items/{item_id}")
def item(item_id: int, q: str = "", tag: str = "none") -> dict[str, object]:
    return {"id": item_id, "q": q, "tag": tag}


@app.post("/orders", status_code=201)
def order(order: Order) -> dict[str, object]:
    return {"ordered": order.model_dump()}


@app.put("/bytes")
async def length(request: Request) -> dict[str, int]:
    body = await request.body()
    return {"length": len(body), "sum": sum(body)}


@app.get("/whoami")
def whoami(
    request: Request,
    response: Response,
    session: Annotated[str, Cookie()] = "",
    x_client: Annotated[str, Header()] = "",
) -> dict[str, object]:
    response.set_cookie("session", "renewed", httponly=True)
    response.headers["X-App"] = "fastapi"
    address = request.client.host if request.client else ""
    return {"session": session, "client": x_client, "address": address}


@app.get("/old")
def old() -> RedirectResponse:
    return RedirectResponse("/items/1?q=new")


@app.get("/pixel")
def pixel() -> Response:
    return Response(bytes(range(256)), media_type="image/png")


@app.get("/{where}/text")
def text(where: str) -> PlainTextResponse:
    return PlainTextResponse(f"Grüße aus {where}")


@app.get("/broken")
def broken() -> None:
    raise LookupError("no such thing")


# CloudFront computes the length of a response made at the edge, and refuses one that names it.
handler = Mangum(app, lifespan="off", exclude_headers=["Content-Length"])
bare_handler = Mangum(app, lifespan="off")
