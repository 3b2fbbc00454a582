"""Those options of ``edgeproxy dev`` that are about the process: stores, limits, how it runs."""

from edgeproxy.option import Kind, Option

__all__ = ["PROCESS_OPTIONS"]

_PROCESS = "Process"

PROCESS_OPTIONS: tuple[Option, ...] = (
    Option(
        "debug-function",
        Kind.LIST,
        "start that Lambda function for a debugger (debugpy, Node.js inspector) on a port of "
        "loopback, without limits of time (default: a free port)",
        "NAME[=PORT]",
        _PROCESS,
    ),
    Option(
        "iam",
        Kind.TEXT,
        "whether signatures and resource policies are checked on function URLs, load balancers and "
        "the Lambda API (default off)",
        "off|enforce",
        _PROCESS,
        ("off", "enforce"),
    ),
    Option(
        "access-key",
        Kind.LIST,
        "a caller that --iam enforce knows; ARN is whose key it is (default user/edgeproxy of the "
        "functions' account)",
        "ID=SECRET[@ARN]",
        _PROCESS,
    ),
    Option(
        "kms-key",
        Kind.LIST,
        "a key that KMS has here, by key ID, alias/NAME or ARN: a file of 32 bytes",
        "ID=FILE",
        _PROCESS,
    ),
    Option("no-reload", Kind.FLAG, "do not watch files", group=_PROCESS),
    Option(
        "state-dir",
        Kind.PATH,
        "what must outlive a restart; made on first need (default .edgeproxy)",
        "DIR",
        _PROCESS,
    ),
    Option(
        "cache-store",
        Kind.TEXT,
        "where cached objects lie: in memory, on disk in the state folder, where they outlive a "
        "restart, or in Redis or Valkey, for several edges (default memory)",
        "memory|disk|redis://HOST:PORT/DB",
        _PROCESS,
    ),
    Option(
        "cache-size-mb",
        Kind.INTEGER,
        "memory or disk space for cached objects in MB; in Redis the most that one may take "
        "(default 256)",
        "MB",
        _PROCESS,
    ),
    Option(
        "regional-cache",
        Kind.TEXT,
        "a regional edge cache behind the edge location's, of the same size; several edges share "
        "one in Redis or Valkey (default off)",
        "off|memory|redis://HOST:PORT/DB",
        _PROCESS,
    ),
    Option(
        "account-concurrency",
        Kind.INTEGER,
        "the account's concurrent executions (default 1000)",
        "N",
        _PROCESS,
    ),
    Option(
        "provisioned-concurrency",
        Kind.INTEGER,
        "provisioned environments of each Lambda version at most (default as many as are asked "
        "for)",
        "N",
        _PROCESS,
    ),
    Option(
        "request-rate",
        Kind.INTEGER,
        "invocations a second for each that may run at once, before Lambda throttles; AWS has 10 "
        "(default no limit)",
        "N",
        _PROCESS,
    ),
    Option(
        "scaling-rate",
        Kind.INTEGER,
        "environments by which a Lambda function may grow in ten seconds; AWS has 1000 (default no "
        "limit)",
        "N",
        _PROCESS,
    ),
    Option(
        "sticky-alias",
        Kind.TEXT,
        "an alias with weights gives the same version to requests with the same value of a header "
        "or cookie (default off, as on AWS)",
        "header:NAME|cookie:NAME",
        _PROCESS,
    ),
    Option("seed", Kind.INTEGER, "make every random choice repeatable", "N", _PROCESS),
    Option(
        "strict",
        Kind.FLAG,
        "rules that AWS leaves unsure take the strict reading (the default)",
        group=_PROCESS,
    ),
    Option(
        "lenient",
        Kind.FLAG,
        "rules that AWS leaves unsure take the forgiving reading",
        group=_PROCESS,
    ),
)
