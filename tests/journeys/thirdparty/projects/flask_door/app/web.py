"""A Flask app as people put it behind a load balancer or a function URL."""

from apig_wsgi import make_lambda_handler
from flask import Flask, jsonify, make_response, redirect, request

app = Flask(__name__)


@app.get("/items/<int:number>")
def item(number):
    return jsonify(number=number, q=request.args.getlist("q"), host=request.host)


@app.get("/whoami")
def whoami():
    return jsonify(
        cookies=dict(request.cookies),
        scheme=request.scheme,
        forwarded=request.headers.get("X-Forwarded-For"),
        agent=request.headers.getlist("X-Client"),
    )


@app.get("/login")
def login():
    response = make_response("hello")
    response.set_cookie("session", "s1", httponly=True)
    response.set_cookie("theme", "dark")
    return response


@app.post("/form")
def form():
    return jsonify(request.form.to_dict(flat=False))


@app.route("/bytes", methods=["PUT"])
def both():
    return request.get_data()[::-1], 201, {"Content-Type": "application/octet-stream"}


@app.get("/framing")
def framing():
    return "12345", {"Connection": "close", "X-Kept": "yes", "Content-Length": "5"}


@app.get("/old")
def old():
    return redirect("/items/1?q=new")


@app.get("/broken")
def broken():
    raise LookupError("no such thing")


handler = make_lambda_handler(app, binary_support=True)
