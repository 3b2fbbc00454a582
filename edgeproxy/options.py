"""The table of the options of ``edgeproxy dev``.

It is the source of the command line, of the keys of ``edgeproxy.toml`` and of the option reference
in the documentation.
"""

from edgeproxy.option import Kind, Option
from edgeproxy.process_options import PROCESS_OPTIONS

__all__ = ["OPTIONS"]

_FUNCTIONS = "Functions of a URL or directory TARGET"
_DISTRIBUTION = "Distribution"
_DOORS = "Other doors"
_LISTENERS = "Listeners"
_VIEWER = "The simulated viewer"
_CONSOLE = "Console and logs"

OPTIONS: tuple[Option, ...] = (
    *(
        Option(
            event,
            Kind.TEXT,
            f"Lambda@Edge function for {event} events; .py is Python, .js .mjs .cjs is Node.js; "
            "HANDLER defaults to handler, then lambda_handler",
            "FILE[:HANDLER]",
            _FUNCTIONS,
        )
        for event in ("viewer-request", "origin-request", "origin-response", "viewer-response")
    ),
    *(
        Option(
            f"{event}-cff",
            Kind.TEXT,
            f"CloudFront Function (cloudfront-js-2.0) for {event} events",
            "FILE",
            _FUNCTIONS,
        )
        for event in ("viewer-request", "viewer-response")
    ),
    Option(
        "include-body", Kind.FLAG, "request functions given above see the body", group=_FUNCTIONS
    ),
    Option(
        "cache-policy",
        Kind.TEXT,
        "managed cache policy for a URL or directory TARGET "
        "(default UseOriginCacheControlHeaders-QueryStrings)",
        "NAME_OR_ID",
        _DISTRIBUTION,
    ),
    Option(
        "origin-request-policy",
        Kind.TEXT,
        "managed origin request policy for a URL or directory TARGET (default AllViewer for a URL)",
        "NAME_OR_ID",
        _DISTRIBUTION,
    ),
    Option(
        "origin",
        Kind.LIST,
        "requests to that origin, or to that origin domain name, go to a URL or a folder instead",
        "ID_OR_DOMAIN=URL_OR_DIR",
        _DISTRIBUTION,
    ),
    Option(
        "origin-host",
        Kind.LIST,
        "send the mapped URL's own host as Host to that origin",
        "ID",
        _DISTRIBUTION,
    ),
    Option(
        "list-folders",
        Kind.FLAG,
        "folders answer 404 for a missing key, as a bucket does that may be listed (default 403)",
        group=_DISTRIBUTION,
    ),
    Option(
        "aws-endpoint",
        Kind.LIST,
        "where a service is asked: S3, SQS, SNS, EVENTBRIDGE, KINESIS, DYNAMODB or "
        "DYNAMODB_STREAMS (default $AWS_ENDPOINT_URL_SERVICE, $AWS_ENDPOINT_URL; S3 origins: AWS)",
        "SERVICE=URL",
        _DISTRIBUTION,
    ),
    Option(
        "origin-certificate",
        Kind.LIST,
        "show this certificate to origins with mutual TLS; the file also holds its private key",
        "ARN_OR_ID=PEM_FILE",
        _DISTRIBUTION,
    ),
    Option(
        "image",
        Kind.LIST,
        "run a container image's function from this folder, with the command of its ImageConfig",
        "FUNCTION=FOLDER",
        _DISTRIBUTION,
    ),
    Option(
        "kvs",
        Kind.LIST,
        "load a key-value store from AWS's import JSON",
        "NAME=FILE",
        _DISTRIBUTION,
    ),
    Option(
        "public-key",
        Kind.LIST,
        "the public key behind a key-pair ID, for signed URLs and cookies",
        "ID=PEM_FILE",
        _DISTRIBUTION,
    ),
    Option(
        "trust-store",
        Kind.LIST,
        "the certificates of the authorities in a trust store, for viewer mutual TLS",
        "ID_OR_NAME=PEM_FILE",
        _DISTRIBUTION,
    ),
    Option(
        "field-level-encryption",
        Kind.LIST,
        "the configuration behind a FieldLevelEncryptionId, as the AWS CLI prints it",
        "ID=FILE",
        _DISTRIBUTION,
    ),
    Option(
        "function-url",
        Kind.LIST,
        "serve that function behind a function URL",
        "FILE[:HANDLER]",
        _DOORS,
    ),
    Option(
        "alb", Kind.LIST, "serve that function behind an ALB listener", "FILE[:HANDLER]", _DOORS
    ),
    Option(
        "multi-value-headers",
        Kind.FLAG,
        "the ALB target groups of --alb use multi-value headers",
        group=_DOORS,
    ),
    Option(
        "host", Kind.TEXT, "address of the viewer listener (default 127.0.0.1)", "HOST", _LISTENERS
    ),
    Option(
        "port",
        Kind.INTEGER,
        "port of the viewer listener, 0 takes a free one (default 8080)",
        "PORT",
        _LISTENERS,
    ),
    Option(
        "https-port",
        Kind.INTEGER,
        "also serve viewers over HTTPS there, 0 takes a free one",
        "PORT",
        _LISTENERS,
    ),
    Option(
        "control-port",
        Kind.INTEGER,
        "port of the control listener, 0 takes a free one (default 8081)",
        "PORT",
        _LISTENERS,
    ),
    Option(
        "control-host",
        Kind.TEXT,
        "address of the control listener (default 127.0.0.1)",
        "HOST",
        _LISTENERS,
    ),
    Option(
        "history",
        Kind.INTEGER,
        "how many requests the inspector can look back at; 0 for none (default 1000)",
        "N",
        _LISTENERS,
    ),
    Option(
        "experiments",
        Kind.PATH,
        "experiments that the inspector shows (default experiments.yaml beside the definition)",
        "FILE",
        _LISTENERS,
    ),
    Option(
        "control-name",
        Kind.LIST,
        "answer to that host name on the control listener, besides localhost and IP addresses",
        "NAME",
        _LISTENERS,
    ),
    Option(
        "endpoints-file",
        Kind.PATH,
        "write the URLs of all listeners there as JSON once they accept; removed at stop",
        "PATH",
        _LISTENERS,
    ),
    Option(
        "viewer-country",
        Kind.TEXT,
        "country of the viewer (ISO 3166-1 alpha-2), for geo headers and geo restriction",
        "CC",
        _VIEWER,
    ),
    Option("viewer-ip", Kind.TEXT, "IP address of the viewer", "IP", _VIEWER),
    Option(
        "viewer-location",
        Kind.LIST,
        "place and network of the viewer for the CloudFront-Viewer-* headers: country-region, "
        "country-region-name, city, latitude, longitude, metro-code, postal-code, time-zone, asn",
        "NAME=VALUE",
        _VIEWER,
    ),
    Option(
        "geo-database",
        Kind.LIST,
        "look up country, place and network of viewers by IP address in a MaxMind database (.mmdb)",
        "FILE",
        _VIEWER,
    ),
    Option(
        "access-log",
        Kind.PATH,
        "append CloudFront's standard log (W3C) to a file",
        "FILE",
        _CONSOLE,
    ),
    Option(
        "access-log-format",
        Kind.TEXT,
        "how --access-log is written (default w3c)",
        "w3c|plain|json",
        _CONSOLE,
        ("w3c", "plain", "json"),
    ),
    Option(
        "access-log-fields",
        Kind.TEXT,
        "fields of --access-log in their order, by CloudFront's names, with commas between them "
        "(default the 33 of standard logs)",
        "FIELD,...",
        _CONSOLE,
    ),
    Option(
        "standard-logs",
        Kind.PATH,
        "write the standard logs that the definition asks for below a folder, which stands for "
        "their buckets, log groups and streams",
        "DIR",
        _CONSOLE,
    ),
    Option(
        "realtime-logs",
        Kind.PATH,
        "write the real-time logs that the definition asks for to a folder, a file for each "
        "configuration",
        "DIR",
        _CONSOLE,
    ),
    Option(
        "log-dir",
        Kind.PATH,
        "append what functions log to files in a folder, one for each log group",
        "DIR",
        _CONSOLE,
    ),
    Option(
        "otlp-endpoint",
        Kind.TEXT,
        "send traces of requests and functions to an OpenTelemetry collector (OTLP over HTTP), "
        "such as http://localhost:4318",
        "URL",
        _CONSOLE,
    ),
    Option(
        "log-format",
        Kind.TEXT,
        "console lines for people or for programs (default text)",
        "text|json",
        _CONSOLE,
        ("text", "json"),
    ),
    Option(
        "verbose",
        Kind.FLAG,
        "also show functions' START, END and REPORT lines and the whole definition report",
        group=_CONSOLE,
    ),
    Option("open", Kind.FLAG, "open the page in the browser once it is served", group=_CONSOLE),
    Option("overlay", Kind.FLAG, "CloudFront's error pages show browsers why", group=_CONSOLE),
    Option("quiet", Kind.FLAG, "show only problems", group=_CONSOLE),
    *PROCESS_OPTIONS,
)
