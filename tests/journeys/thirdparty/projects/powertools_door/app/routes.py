"""The routes, for any resolver; logs and metrics as Powertools writes them."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.shared.cookies import Cookie

logger = Logger()
metrics = Metrics()


def serve(app):
    @app.get("/items/<number>")
    def item(number):
        logger.info("asked for an item", number=number)
        metrics.add_metric("Asked", MetricUnit.Count, 1)
        if number == "0":
            raise NotFoundError("no such item")
        return {"number": number, "q": app.current_event.resolved_query_string_parameters["q"]}

    @app.get("/login")
    def login():
        cookies = [Cookie("session", "s1"), Cookie("theme", "dark")]
        return Response(200, content_types.TEXT_PLAIN, "hello", cookies=cookies)

    @app.put("/bytes")
    def both():
        body = app.current_event.decoded_body.encode()
        return Response(201, "application/octet-stream", body[::-1])

    @app.post("/json")
    def echo():
        return app.current_event.json_body

    @logger.inject_lambda_context
    @metrics.log_metrics(capture_cold_start_metric=True)
    def handler(event, context):
        return app.resolve(event, context)

    return handler
