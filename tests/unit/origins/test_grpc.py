from pathlib import Path

import pytest

from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Viewer
from edgeproxy.origins.errors import OriginFailure
from tests.unit.origins.raw_origin import client, custom_origin

CALL = Request(
    "POST",
    "/echo/One",
    version="2.0",
    headers=Headers([("content-type", "application/grpc")]),
    viewer=Viewer("192.0.2.7", scheme="https"),
)


@pytest.mark.rule("CDN-GRP-01")
async def test_an_origin_without_https(tmp_path: Path) -> None:
    origin = custom_origin(protocol_policy="http-only")
    async with client({}) as sender:
        with pytest.raises(OriginFailure, match="gRPC needs HTTPS") as failed:
            await sender.call(CALL, origin)
        assert failed.value.status == 502


async def test_a_folder_speaks_no_grpc(tmp_path: Path) -> None:
    async with client({"web": str(tmp_path)}) as sender:
        with pytest.raises(OriginFailure, match="no server that speaks gRPC"):
            await sender.call(CALL, custom_origin())
