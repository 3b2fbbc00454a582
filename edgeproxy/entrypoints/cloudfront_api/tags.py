"""Tags: nothing here has any, which clients such as Terraform ask of every resource they make."""

from edgeproxy.entrypoints.cloudfront_api.account import Account
from edgeproxy.entrypoints.cloudfront_api.answers import Answer, ApiError
from edgeproxy.entrypoints.cloudfront_api.calls import Call
from edgeproxy.entrypoints.cloudfront_api.documents import document

__all__ = ["TagOperations"]


class TagOperations:
    """Each method is one operation."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def list(self, call: Call) -> Answer:
        arn = call.query.get("Resource", "")
        if not arn.startswith(f"arn:aws:cloudfront::{self._account.id}:"):
            raise ApiError(404, "NoSuchResource", f"{arn!r} is no resource of this account.")
        return Answer(200, document("Tags", {"Items": []}))
