"""Logs as definitions ask for them: standard logs of both versions, real-time logs.

What is written is read by others: a parser of CloudFront's logs, pyarrow, and plain readers.
"""

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aws_log_parser import AwsLogParser, LogType
from pyarrow import parquet

from edgeproxy.distribution.logs import (
    DEFAULT_DELIVERY_FIELDS,
    DELIVERY_FIELDS,
    REALTIME_FIELDS,
    STANDARD_FIELDS,
)
from edgeproxy.errors import UsageError
from edgeproxy.testing import Edge, Site
from tests.support.delivery import definition
from tests.support.mutual_tls import ALLOW, Client, distribution
from tests.support.origin import Answer, Origin
from tests.support.tenants import MULTI_TENANT, tenant
from tests.support.viewer_functions import function, viewer_functions_template

Serve = Callable[..., Site]

BROWSER = "Mozilla/5.0 (X11; Linux)"
SOURCE = {
    "Type": "AWS::Logs::DeliverySource",
    "Properties": {
        "Name": "site-logs",
        "LogType": "ACCESS_LOGS",
        "ResourceArn": {
            "Fn::Sub": "arn:aws:cloudfront::${AWS::AccountId}:distribution/${Site}",
        },
    },
}


@pytest.fixture
def edge() -> Iterator[Edge]:
    """An edge that a test may stop, and whose clock it may move."""
    with Edge() as running:
        yield running


@pytest.fixture
def serve(edge: Edge, origin: Origin, tmp_path: Path) -> Serve:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60", "Content-Type": "text/css"})

    def start(
        behavior: dict[str, Any] | None = None,
        resources: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        **more: Any,
    ) -> Site:
        document = definition(behavior, **more)
        document["Resources"] |= resources or {}
        path = tmp_path / "template.json"
        path.write_text(json.dumps(document))
        return edge.serve(path, origins={"web": origin.url}, **(options or {}))

    return start


def delivery(
    output: str, to: object = "arn:aws:s3:::v2-logs", **properties: object
) -> dict[str, Any]:
    """Standard logging, version 2, of ``Site``; ``properties`` are those of the delivery."""
    destination = {"Name": "there", "OutputFormat": output, "DestinationResourceArn": to}
    return {
        "Source": SOURCE,
        "Destination": {"Type": "AWS::Logs::DeliveryDestination", "Properties": destination},
        "Delivery": {
            "Type": "AWS::Logs::Delivery",
            "Properties": {
                "DeliverySourceName": {"Ref": "Source"},
                "DeliveryDestinationArn": {"Fn::GetAtt": "Destination.Arn"},
                **properties,
            },
        },
    }


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def the_lines(folder: Path) -> list[str]:
    (file,) = files_in(folder)
    return gzip.decompress(file.read_bytes()).decode("ascii").splitlines()


def distribution_id(site: Site) -> str:
    return str(site.endpoints["distributions"]["Site"]["id"])


@pytest.mark.rule("CDN-LOG-02", "CDN-LOG-01", "CDN-CFG-029")
@pytest.mark.parametrize("prefix", ["shop/edge", "shop/edge/"])
def test_a_bucket_gets_a_file_for_each_hour(
    serve: Serve, edge: Edge, tmp_path: Path, prefix: str
) -> None:
    site = serve(
        Logging={"Bucket": "shop-logs.s3.amazonaws.com", "Prefix": prefix},
        options={"standard_logs": tmp_path / "logs"},
    )
    for path in ("/a", "/b"):
        site.get(path, headers={"Cookie": "a=1"})
    site.exchanges(2)
    edge.clock.advance(hours=1)
    site.get("/c")
    site.exchanges(3)
    files = files_in(tmp_path / "logs")
    names = [str(path.relative_to(tmp_path / "logs")) for path in files]
    form = rf"shop-logs/shop/edge/{distribution_id(site)}\.(\d{{4}}-\d\d-\d\d-\d\d)\.\w+\.gz"
    hours = [found[1] for name in names if (found := re.fullmatch(form, name))]
    assert len(set(hours)) == len(names) == 2
    first, second = (gzip.decompress(path.read_bytes()).decode().splitlines() for path in files)
    head = ["#Version: 1.0", f"#Fields: {' '.join(STANDARD_FIELDS)}"]
    assert (first[:2], second[:2]) == (head, head)
    rows = [dict(zip(STANDARD_FIELDS, line.split("\t"), strict=True)) for line in first[2:]]
    assert [row["cs-uri-stem"] for row in rows] == ["/a", "/b"]
    assert [f"{row['date']}-{row['time'][:2]}" for row in rows] == [hours[0]] * 2
    assert {row["cs(Cookie)"] for row in rows} == {"-"}
    assert len(second) == 3


@pytest.mark.rule("CDN-LOG-04")
def test_lines_do_not_stand_in_the_order_of_time(serve: Serve, edge: Edge, tmp_path: Path) -> None:
    site = serve(options={"access_log": tmp_path / "log"})
    edge.clock.advance(hours=30)
    site.get("/later")
    site.exchanges(1)
    edge.clock.reset()
    site.get("/earlier")
    site.exchanges(2)
    later, earlier = (
        line.split("\t")[:2] for line in (tmp_path / "log").read_text().splitlines()[2:]
    )
    assert later > earlier


@pytest.mark.rule("CDN-CFG-029")
def test_cookies_are_logged_if_the_definition_says_so(serve: Serve, tmp_path: Path) -> None:
    site = serve(
        Logging={"Bucket": "logs", "IncludeCookies": True},
        options={"standard_logs": tmp_path / "logs", "access_log": tmp_path / "log"},
    )
    site.get("/", headers={"Cookie": 'a=1; b="ü"'.encode().decode("latin-1")})
    site.exchanges(1)
    in_file = (tmp_path / "log").read_text().splitlines()[-1]
    for line in (the_lines(tmp_path / "logs")[-1], in_file):
        assert line.split("\t")[STANDARD_FIELDS.index("cs(Cookie)")] == "a=1;%20b=%22%C3%BC%22"


@pytest.mark.rule("CDN-CFG-029")
@pytest.mark.parametrize(
    "logging", [None, {"IncludeCookies": True}, {"Enabled": False, "Bucket": "a"}]
)
def test_a_definition_without_standard_logs(
    serve: Serve, tmp_path: Path, logging: dict[str, Any] | None
) -> None:
    more = {} if logging is None else {"Logging": logging}
    with pytest.raises(UsageError, match="no distribution of the definition has standard logs"):
        serve(options={"standard_logs": tmp_path / "logs"}, **more)


def test_a_folder_of_logs_that_cannot_be_made(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(UsageError, match="folder of --standard-logs cannot be made: File exists"):
        serve(Logging={"Bucket": "a"}, options={"standard_logs": tmp_path / "logs"})


def test_a_parser_of_cloudfront_logs_reads_them(serve: Serve, tmp_path: Path) -> None:
    site = serve(
        {"ViewerProtocolPolicy": "redirect-to-https"},
        Logging={"Bucket": "logs", "IncludeCookies": True},
        options={"standard_logs": tmp_path / "logs", "https_port": 0},
    )
    headers = {"Host": "www.example.com", "User-Agent": BROWSER, "Cookie": "a=1"}
    site.get("/a?b=c", headers=headers, url=site.https_url)
    site.get("/a?b=c", headers=headers, url=site.https_url)
    site.get("/a", headers=headers)
    site.exchanges(3)
    (file,) = files_in(tmp_path / "logs")
    entries = list(AwsLogParser(LogType.CloudFront).read_file(file))
    assert [entry.edge_result_type for entry in entries] == ["Miss", "Hit", "Redirect"]
    entry = entries[0]
    assert (entry.host_header, entry.uri_stem) == ("www.example.com", "/a")
    assert (entry.user_agent, entry.uri_query) == (BROWSER, {"b": ["c"]})
    assert (entry.status_code, entry.protocol) == (200, "https")
    assert entry.ssl_protocol in ("TLSv1.2", "TLSv1.3")
    assert entry.ssl_cipher
    assert entry.sent_bytes > 0
    assert entry.edge_location == "SEA19-C1"


@pytest.mark.rule("CDN-LOG-05")
@pytest.mark.parametrize("delimiter", [None, "|"])
@pytest.mark.parametrize("output", ["w3c", "plain", "raw", "json"])
def test_formats_of_version_2(
    serve: Serve, tmp_path: Path, output: str, delimiter: str | None
) -> None:
    properties: dict[str, Any] = {"RecordFields": list(DELIVERY_FIELDS)}
    if delimiter is not None:
        properties["FieldDelimiter"] = delimiter
    site = serve(
        resources=delivery(output, **properties), options={"standard_logs": tmp_path / "logs"}
    )
    site.get("/a?b=1", headers={"x-edgeproxy-viewer-country": "DE"})
    site.exchanges(1)
    *head, line = the_lines(tmp_path / "logs")
    if output == "json":
        fields = json.loads(line)
        assert list(fields) == list(DELIVERY_FIELDS)
    else:
        fields = dict(zip(DELIVERY_FIELDS, line.split(delimiter or "\t"), strict=True))
    names = [f"#Fields: {' '.join(DELIVERY_FIELDS)}"]
    assert head == (["#Version: 1.0", *names] if output == "w3c" else [])
    assert fields["cs-uri-stem"] == "/a"
    assert (fields["c-country"], fields["cache-behavior-path-pattern"]) == ("DE", "*")
    assert re.fullmatch(r"\d{13}", fields["timestamp(ms)"])
    for name in ("origin-fbl", "origin-lbl"):
        assert re.fullmatch(r"\d+\.\d{3}", fields[name])
    assert float(fields["origin-fbl"]) <= float(fields["origin-lbl"])
    for name in ("distribution-tenant-id", "connection-id", "asn"):
        assert fields[name] == "-"


@pytest.mark.rule("CDN-LOG-05")
def test_parquet(serve: Serve, tmp_path: Path) -> None:
    site = serve(resources=delivery("parquet"), options={"standard_logs": tmp_path / "logs"})
    for path in ("/a", "/a", "/b"):
        site.get(path, headers={"User-Agent": BROWSER})
    site.exchanges(3)
    (file,) = files_in(tmp_path / "logs")
    assert file.suffix == ".parquet"
    table = parquet.read_table(file)
    assert table.num_columns == len(DEFAULT_DELIVERY_FIELDS)
    assert {"cs_host", "cs_user_agent", "x_edge_result_type"} < set(table.column_names)
    assert {str(field.type) for field in table.schema} == {"string"}
    assert table["cs_uri_stem"].to_pylist() == ["/a", "/a", "/b"]
    assert table["x_edge_result_type"].to_pylist() == ["Miss", "Hit", "Miss"]
    assert set(table["cs_user_agent"].to_pylist()) == {"Mozilla/5.0%20(X11;%20Linux)"}


@pytest.mark.rule("CDN-LOG-06")
def test_a_delivery_that_names_no_fields(serve: Serve, tmp_path: Path) -> None:
    site = serve(resources=delivery("json"), options={"standard_logs": tmp_path / "logs"})
    site.get("/")
    site.exchanges(1)
    assert tuple(json.loads(the_lines(tmp_path / "logs")[0])) == DEFAULT_DELIVERY_FIELDS


@pytest.mark.parametrize(
    ("to", "properties", "folder"),
    [
        ("arn:aws:s3:::b/mine", {}, "b/mine"),
        ("arn:aws:s3:::b/mine", {"S3SuffixPath": "in/{yyyy}/{MM}/{dd}/{HH}"}, "b/mine/in/Y/M/D/H"),
        (
            "arn:aws:s3:::b/mine",
            {"S3SuffixPath": "in/{yyyy}", "S3EnableHiveCompatiblePath": True},
            "b/mine/in/year=Y",
        ),
        ("arn:aws:s3:::b", {}, "b/AWSLogs/A/CloudFront"),
        ("arn:aws:s3:::b", {"S3SuffixPath": "in/"}, "b/AWSLogs/A/CloudFront/in"),
        (
            "arn:aws:s3:::b",
            {"S3SuffixPath": "{DistributionId}/{accountid}", "S3EnableHiveCompatiblePath": True},
            "b/AWSLogs/aws-account-id=A/CloudFront/DistributionId=ID/accountid=A",
        ),
        ("arn:aws:s3:::b/../..", {"S3SuffixPath": ".."}, "b/%2E%2E/%2E%2E/%2E%2E"),
        (
            "arn:aws:logs:us-east-1:123456789012:log-group:/edge/site:*",
            {"S3SuffixPath": "in"},
            "edge/site",
        ),
        ("arn:aws:firehose:us-east-1:123456789012:deliverystream/s", {}, "s"),
    ],
)
def test_paths_in_a_bucket(
    serve: Serve, tmp_path: Path, to: str, properties: dict[str, Any], folder: str
) -> None:
    site = serve(
        resources=delivery("plain", to, **properties),
        options={"standard_logs": tmp_path / "logs"},
    )
    site.get("/")
    site.exchanges(1)
    (file,) = files_in(tmp_path / "logs")
    year, month, day, hour = file.name.split(".")[1].split("-")
    values = {"Y": year, "M": month, "D": day, "H": hour}
    values |= {"ID": distribution_id(site), "A": "123456789012"}
    expected = re.sub(r"\b(Y|M|D|H|ID|A)\b", lambda found: values[found[0]], folder)
    assert str(file.parent.relative_to(tmp_path / "logs")) == expected


def test_a_log_group_and_a_bucket_of_the_template(serve: Serve, tmp_path: Path) -> None:
    resources = delivery("json", {"Fn::GetAtt": "Group.Arn"})
    resources["Group"] = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/edge"}}
    site = serve(
        Logging={"Bucket": {"Fn::GetAtt": "Bucket.DomainName"}},
        resources={
            **resources,
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "mine"}},
        },
        options={"standard_logs": tmp_path / "logs"},
    )
    site.get("/")
    site.exchanges(1)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["edge", "mine"]


def test_everything_is_there_after_the_end(origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    realtime = realtime_config(list(REALTIME_FIELDS))
    document = definition({"RealtimeLogConfigArn": {"Ref": "Realtime"}}, Logging={"Bucket": "b"})
    document["Resources"] |= delivery("parquet") | realtime
    path.write_text(json.dumps(document))
    with Edge() as edge:
        site = edge.serve(
            path,
            origins={"web": origin.url},
            access_log=tmp_path / "log",
            standard_logs=tmp_path / "logs",
            realtime_logs=tmp_path / "realtime",
        )
        for number in range(20):
            site.get(f"/{number}")
    assert len((tmp_path / "log").read_text().splitlines()) == 22
    assert len((tmp_path / "realtime" / "Sample.log").read_text().splitlines()) == 20
    assert len(the_lines(tmp_path / "logs" / "b")) == 22
    (file,) = files_in(tmp_path / "logs" / "v2-logs")
    assert parquet.read_table(file).num_rows == 20


def test_a_log_of_ones_own_choice(serve: Serve, tmp_path: Path) -> None:
    options = {
        "access_log": tmp_path / "log",
        "access_log_format": "json",
        "access_log_fields": "sc-status,cs-uri-stem,cs(Cookie)",
    }
    site = serve(options=options)
    site.get("/a", headers={"Cookie": "a=1"})
    site.exchanges(1)
    line = '{"sc-status":"200","cs-uri-stem":"/a","cs(Cookie)":"a=1"}\n'
    assert (tmp_path / "log").read_text() == line


@pytest.mark.rule("CFF-HLP-02")
def test_what_cloudfront_functions_log(edge: Edge, origin: Origin, tmp_path: Path) -> None:
    head = "import cf from 'cloudfront';"
    template = viewer_functions_template(
        tmp_path,
        {
            "viewer-request": function("cf.logCustomData('a b\\u20ac');", head=head),
            "viewer-response": function(
                "cf.logCustomData('%'.repeat(300));", result="event.response", head=head
            ),
        },
    )
    site = edge.serve(
        template,
        origins={"web": origin.url},
        access_log=tmp_path / "log",
        access_log_format="plain",
        access_log_fields="viewer-request-log-data,viewer-response-log-data",
    )
    site.get("/")
    site.exchanges(1)
    request, response = (tmp_path / "log").read_text("ascii").rstrip("\n").split("\t")
    assert request == "a%20b%E2%82%AC"
    assert response == ("%25" * 300)[:800]


@pytest.mark.rule("CDN-LOG-05")
def test_the_connection_of_mutual_tls(
    serve_mtls: Callable[..., Site], client_ca: trustme.CA, tmp_path: Path
) -> None:
    site = serve_mtls(
        f"console.log('top'); {ALLOW}",
        options={
            "access_log": tmp_path / "log",
            "access_log_fields": "connection-id,cs-protocol",
            "access_log_format": "plain",
        },
        Shop=distribution(function="Judge"),
    )
    connection = Client(site, client_ca.issue_cert("client.example.com")).connect()
    for _ in range(2):
        connection.request("GET", "/", headers={"Host": "shop.test"})
        connection.getresponse().read()
    connection.close()
    site.exchanges(2)
    groups = site.running.program.log_groups
    (start, *_) = groups.newest("/aws/cloudfront/connection-function/judge", 10)
    line = f"{start.request_id}\thttps"
    assert (tmp_path / "log").read_text().splitlines() == [line, line]


@pytest.mark.rule("CDN-LOG-05")
def test_a_multi_tenant_distribution_logs_for_its_tenants(
    edge: Edge, origin: Origin, tmp_path: Path
) -> None:
    template = viewer_functions_template(
        tmp_path,
        {},
        resources={
            **{name: tenant(f"{name}.test".lower(), {"name": name.lower()}) for name in "AB"},
            **delivery("json", RecordFields=["x-host-header", "distribution-tenant-id"]),
        },
        distribution=MULTI_TENANT,
        behavior={"OriginRequestPolicyId": None},
    )
    site = edge.serve(template, origins={"web": origin.url}, standard_logs=tmp_path / "logs")
    for host in ("a.test", "b.test"):
        assert site.get("/", headers={"Host": host}).status == 200
    site.exchanges(2)
    (shared,) = site.running.program.project.multi_tenant_distributions.values()
    (file,) = files_in(tmp_path / "logs")
    assert file.name.startswith(f"{shared.id}.")
    tenants = site.endpoints["distributions"]
    assert [json.loads(line) for line in the_lines(tmp_path / "logs")] == [
        {"x-host-header": f"{name.lower()}.test", "distribution-tenant-id": tenants[name]["id"]}
        for name in "AB"
    ]


@pytest.mark.rule("CDN-LOG-07")
def test_the_primary_of_a_staging_distribution(serve: Serve, tmp_path: Path) -> None:
    names = ["primary-distribution-id", "primary-distribution-dns-name"]
    staging = definition(Staging=True)["Resources"]["Site"]
    policy = {
        "Enabled": True,
        "StagingDistributionDnsNames": [{"Fn::GetAtt": "Next.DomainName"}],
        "TrafficConfig": {
            "Type": "SingleHeader",
            "SingleHeaderConfig": {"Header": "aws-cf-cd-next", "Value": "yes"},
        },
    }
    site = serve(
        ATTACHED,
        resources={
            "Next": staging,
            "Policy": {
                "Type": "AWS::CloudFront::ContinuousDeploymentPolicy",
                "Properties": {"ContinuousDeploymentPolicyConfig": policy},
            },
            **realtime_config(names),
        },
        options={
            "access_log": tmp_path / "log",
            "access_log_format": "plain",
            "access_log_fields": ",".join(["cs(Host)", *names]),
            "realtime_logs": tmp_path / "realtime",
        },
        ContinuousDeploymentPolicyId={"Ref": "Policy"},
    )
    primary, following = (site.endpoints["distributions"][name] for name in ("Site", "Next"))
    for headers in ({}, {"aws-cf-cd-next": "yes"}):
        site.get("/", headers=headers, url=primary["url"])
    site.exchanges(2)
    told = f"{primary['id']}\t{primary['domain_name']}"
    assert (tmp_path / "log").read_text().splitlines() == [
        f"{primary['domain_name']}\t{told}",
        f"{following['domain_name']}\t{told}",
    ]
    assert (tmp_path / "realtime" / "Sample.log").read_text() == f"{told}\n"


# real-time logs


def realtime_config(fields: list[str], rate: object = 100) -> dict[str, Any]:
    stream = {"StreamType": "Kinesis", "KinesisStreamConfig": {"RoleArn": "r", "StreamArn": "s"}}
    return {
        "Realtime": {
            "Type": "AWS::CloudFront::RealtimeLogConfig",
            "Properties": {
                "Name": "Sample",
                "SamplingRate": rate,
                "Fields": fields,
                "EndPoints": [stream],
            },
        }
    }


ATTACHED = {"RealtimeLogConfigArn": {"Fn::GetAtt": "Realtime.Arn"}}


@pytest.mark.rule("CDN-RTL-01", "CDN-RTL-02", "CDN-CFG-221")
def test_real_time_records(serve: Serve, tmp_path: Path) -> None:
    fields = list(REALTIME_FIELDS)
    site = serve(
        {**ATTACHED, "forward": "216adef6-5c7f-47e4-b989-5492eafa07d3"},
        resources=realtime_config(fields[::-1]),
        options={"realtime_logs": tmp_path / "logs"},
    )
    site.get(
        "/a?b=1",
        headers=[("Host", "www.example.com"), ("Accept", "*/*"), ("x-edgeproxy-viewer-ip", "::1")],
    )
    site.exchanges(1)
    (line,) = (tmp_path / "logs" / "Sample.log").read_text("ascii").splitlines()
    (row,) = csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE)
    record = dict(zip(REALTIME_FIELDS, row, strict=True))
    assert re.fullmatch(r"\d{10}\.\d{3}", record["timestamp"])
    expected = {
        "c-ip": "::1",
        "c-ip-version": "IPv6",
        "s-ip": "127.0.0.1",
        "cs-host": "www.example.com",
        "x-host-header": site.endpoints["distributions"]["Site"]["domain_name"],
        "cs-uri-stem": "/a?b=1",
        "cs-uri-query": "b=1",
        "cs-headers": "Host:www.example.com%0AAccept:*/*%0A",
        "cs-header-names": "Host%0AAccept%0A",
        "cs-headers-count": "2",
        "cs-accept": "*/*",
        "cs-accept-encoding": "-",
        "cache-behavior-path-pattern": "*",
        "r-host": "web.example.com",
        "sr-reason": "-",
        "x-edge-mqcs": "-",
    }
    assert {name: record[name] for name in expected} == expected


@pytest.mark.rule("CDN-RTL-05")
def test_a_sample_of_the_requests_of_one_behavior(serve: Serve, tmp_path: Path) -> None:
    site = serve(
        behaviors={"/api/*": ATTACHED},
        resources=realtime_config(["cs-uri-stem"], 25),
        options={"realtime_logs": tmp_path / "logs", "seed": 1},
    )
    for number in range(100):
        site.get(f"/api/{number}")
        site.get(f"/{number}")
    site.exchanges(200)
    lines = (tmp_path / "logs" / "Sample.log").read_text().splitlines()
    assert 10 <= len(lines) <= 45
    assert all(line.startswith("/api/") for line in lines)


@pytest.mark.rule("CDN-RTL-04")
def test_a_failover_is_told(serve: Serve, origin: Origin, tmp_path: Path) -> None:
    origin.answer = lambda got: Answer(200 if got.header("Host") == "two.example.com" else 503)
    second = {
        "Id": "two",
        "DomainName": "two.example.com",
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
    }
    group = {
        "Id": "both",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [503]}},
        "Members": {"Quantity": 2, "Items": [{"OriginId": "web"}, {"OriginId": "two"}]},
    }
    document = {**ATTACHED, "TargetOriginId": "both", "AllowedMethods": ["GET", "HEAD"]}
    site = serve(
        document,
        resources=realtime_config(["sc-status", "r-host", "sr-reason"]),
        options={
            "realtime_logs": tmp_path / "logs",
            "origin": (f"two={origin.url}", f"web={origin.url}"),
        },
        origins=[second],
        OriginGroups={"Quantity": 1, "Items": [group]},
    )
    site.get("/")
    site.exchanges(1)
    line = (tmp_path / "logs" / "Sample.log").read_text()
    assert line == "200\ttwo.example.com\tFailover:503\n"


def test_a_definition_without_real_time_logs(serve: Serve, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="RealtimeLogConfigArn"):
        serve(options={"realtime_logs": tmp_path / "logs"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"access_log_fields": "sc-statu", "access_log": "x"}, "no field 'sc-statu'"),
        ({"access_log_format": "json"}, "--access-log-format needs --access-log FILE"),
    ],
)
def test_options_that_cannot_be(serve: Serve, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        serve(options=options)
