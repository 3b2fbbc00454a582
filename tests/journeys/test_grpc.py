"""gRPC through the edge: gRPC's own client and server, which know of nothing in between."""

import queue
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from edgeproxy.testing import Edge, Site
from tests.support.origin import running_origin

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
PATIENCE_S = 20
MEGABYTE = 1024 * 1024


class Service(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Echoes in the four ways that there are, and notes what it sees."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}
        self.waits = threading.Event()
        self.ended = threading.Event()

    def service(self, details: Any) -> Any:
        self.metadata = dict(details.invocation_metadata)
        return {
            "/echo/One": grpc.unary_unary_rpc_method_handler(self.one),
            "/echo/Many": grpc.unary_stream_rpc_method_handler(self.many),
            "/echo/Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "/echo/Talk": grpc.stream_stream_rpc_method_handler(self.talk),
            "/echo/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/echo/Wait": grpc.unary_stream_rpc_method_handler(self.wait),
        }.get(details.method)

    def one(self, message: bytes, context: Any) -> bytes:
        context.set_trailing_metadata([("x-last", "1"), ("x-raw-bin", b"\0\xff")])
        return message

    def many(self, message: bytes, context: Any) -> Iterator[bytes]:
        context.send_initial_metadata([("x-first", "1")])
        for number in range(int(message)):
            yield b"%d" % number

    def sum(self, messages: Iterator[bytes], context: Any) -> bytes:
        return b"%d" % sum(map(len, messages))

    def talk(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for message in messages:
            yield message.upper()

    def fail(self, message: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "there is no such thing: ü")
        raise AssertionError

    def wait(self, message: bytes, context: Any) -> Iterator[bytes]:
        context.add_callback(self.ended.set)
        yield b"begun"
        self.waits.set()
        assert self.ended.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return (folder / "key.pem").read_bytes(), (folder / "cert.pem").read_bytes()


@pytest.fixture(params=["https", "http"])
def origin(
    request: pytest.FixtureRequest, certificate: tuple[bytes, bytes]
) -> Iterator[tuple[Service, str]]:
    """A gRPC server, and where it is."""
    service = Service()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((service,))
    if request.param == "https":
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([certificate]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield service, f"{request.param}://127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def serve(edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Site]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def served(origin: str, *, enabled: bool = True, more: str = "", **options: object) -> Site:
        text = TEMPLATE.replace("GRPC", str(enabled).lower())
        definition = yaml.safe_load(text)
        for extra in yaml.safe_load_all(more):
            definition["Resources"].update(extra.pop("Resources", {}))
            config = definition["Resources"]["Api"]["Properties"]["DistributionConfig"]
            config["DefaultCacheBehavior"].update(extra.pop("Behavior", {}))
            config.update(extra)
        path = tmp_path / "template.yaml"
        path.write_text(yaml.safe_dump(definition))
        return edge.serve(path, origins={"api": origin}, https_port=0, **options)

    return served


TEMPLATE = f"""
Resources:
  Api:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        HttpVersion: http2
        Origins:
          - Id: api
            DomainName: grpc.example.com
            CustomOriginConfig: {{OriginProtocolPolicy: https-only}}
        DefaultCacheBehavior:
          TargetOriginId: api
          ViewerProtocolPolicy: https-only
          AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
          CachePolicyId: {CACHING_DISABLED}
          OriginRequestPolicyId: {ALL_VIEWER}
          GrpcConfig: {{Enabled: GRPC}}
"""


def channel(site: Site) -> Any:
    authority = site.running.program.authority
    assert authority is not None
    roots = authority.read_bytes()
    port = site.https_url.rpartition(":")[2]
    return grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(roots))


@pytest.mark.rule("CDN-GRP-01", "CDN-GRP-03", "CDN-VER-03", "CDN-CFG-125")
def test_the_four_kinds_of_calls(
    origin: tuple[Service, str], serve: Callable[..., Site], tmp_path: Path
) -> None:
    service, url = origin
    site = serve(url, access_log=tmp_path / "log")
    with channel(site) as edge:
        message, call = edge.unary_unary("/echo/One").with_call(
            b"hello", timeout=PATIENCE_S, metadata=[("x-own", "2"), ("x-own-bin", b"\1")]
        )
        assert (message, call.code()) == (b"hello", grpc.StatusCode.OK)
        assert dict(call.trailing_metadata()) == {"x-last": "1", "x-raw-bin": b"\0\xff"}
        assert (service.metadata["x-own"], service.metadata["x-own-bin"]) == ("2", b"\1")
        assert service.metadata["via"].startswith("2.0 ")
        assert dict(call.initial_metadata())["x-cache"] == "Miss from cloudfront"

        many = edge.unary_stream("/echo/Many")(b"300", timeout=PATIENCE_S)
        assert [int(each) for each in many] == list(range(300))
        assert dict(many.initial_metadata())["x-first"] == "1"

        parts = (bytes(MEGABYTE) for _ in range(5))
        assert edge.stream_unary("/echo/Sum")(parts, timeout=PATIENCE_S) == b"%d" % (5 * MEGABYTE)

        said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        talk = edge.stream_stream("/echo/Talk")(iter(said.get, None), timeout=PATIENCE_S)
        for word in (b"one", b"two", b"x" * 3 * MEGABYTE):
            said.put(word)
            assert next(talk) == word.upper()  # Each answer comes before the next word is said.
        said.put(None)
        assert list(talk) == []
        assert talk.code() is grpc.StatusCode.OK
    records = site.exchanges(4)
    assert {record.result_type for record in records} == {"Miss"}
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if line[0] != "#"]
    assert [line.split("\t")[16] for line in lines] == ["grpcs"] * 4


@pytest.mark.rule("CDN-GRP-03")
def test_a_status_that_the_service_gives(
    origin: tuple[Service, str], serve: Callable[..., Site]
) -> None:
    _, url = origin
    with channel(serve(url)) as edge:
        for method, code in (("/echo/Fail", "NOT_FOUND"), ("/echo/Nothing", "UNIMPLEMENTED")):
            with pytest.raises(grpc.RpcError) as failed:
                edge.unary_unary(method)(b"", timeout=PATIENCE_S)
            assert failed.value.code().name == code
            if code == "NOT_FOUND":
                assert failed.value.details() == "there is no such thing: ü"


def test_a_call_that_is_given_up_ends_at_the_service(
    origin: tuple[Service, str], serve: Callable[..., Site]
) -> None:
    service, url = origin
    with channel(serve(url)) as edge:
        call = edge.unary_stream("/echo/Wait")(b"", timeout=PATIENCE_S)
        assert next(call) == b"begun"
        assert service.waits.wait(PATIENCE_S)
        call.cancel()
        assert service.ended.wait(PATIENCE_S)


def test_a_deadline(origin: tuple[Service, str], serve: Callable[..., Site]) -> None:
    service, url = origin
    with channel(serve(url)) as edge:
        call = edge.unary_stream("/echo/Wait")(b"", timeout=1)
        with pytest.raises(grpc.RpcError) as failed:
            list(call)
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "grpc-timeout" not in service.metadata  # The server has taken it for its own.
        assert service.ended.wait(PATIENCE_S)


FUNCTIONS = """
Resources:
  Mark:
    Type: AWS::CloudFront::Function
    Properties:
      Name: mark
      AutoPublish: true
      FunctionConfig: {Comment: "", Runtime: cloudfront-js-2.0}
      FunctionCode: |
        function handler(event) {
          event.request.headers['x-marked'] = {value: 'yes'};
          return event.request;
        }
Behavior:
  FunctionAssociations:
    - EventType: viewer-request
      FunctionARN: !GetAtt Mark.FunctionARN
CustomErrorResponses:
  - {ErrorCode: 502, ResponseCode: 200, ResponsePagePath: /sorry.html}
""".replace("!GetAtt Mark.FunctionARN", "{'Fn::GetAtt': [Mark, FunctionARN]}")


@pytest.mark.rule("CDN-GRP-02")
def test_cloudfront_functions_run_and_error_pages_are_left_out(
    origin: tuple[Service, str], serve: Callable[..., Site]
) -> None:
    service, url = origin
    site = serve(url, more=FUNCTIONS)
    with channel(site) as edge:
        assert edge.unary_unary("/echo/One")(b"hello", timeout=PATIENCE_S) == b"hello"
    assert service.metadata["x-marked"] == "yes"


@pytest.mark.rule("CDN-GRP-02")
def test_an_origin_that_is_not_there(serve: Callable[..., Site]) -> None:
    site = serve("https://127.0.0.1:1", more=FUNCTIONS)
    with channel(site) as edge, pytest.raises(grpc.RpcError) as failed:
        edge.unary_unary("/echo/One")(b"hello", timeout=PATIENCE_S)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    [record] = site.exchanges(1)
    assert record.response is not None
    assert record.response.status == 502


def test_an_origin_that_speaks_no_http_2(
    certificate: tuple[bytes, bytes], serve: Callable[..., Site], tmp_path: Path
) -> None:
    (tmp_path / "pair.pem").write_bytes(b"".join(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pair.pem")
    with running_origin(tls) as origin:
        site = serve(origin.url)
        with channel(site) as edge, pytest.raises(grpc.RpcError) as failed:
            edge.unary_unary("/echo/One")(b"hello", timeout=PATIENCE_S)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "does not speak HTTP/2" in str(site.exchanges(1)[0].response)
    assert origin.got == []


@pytest.mark.rule("CDN-GRP-01")
def test_without_grpc_a_call_is_a_post_like_any_other(serve: Callable[..., Site]) -> None:
    with running_origin() as origin:
        site = serve(origin.url, enabled=False)
        with channel(site) as edge, pytest.raises(grpc.RpcError):
            edge.unary_unary("/echo/One")(b"hello", timeout=PATIENCE_S)
    assert [got.method for got in origin.got] == ["POST"]
    assert origin.got[0].header("te") is None
