"""The function URLs and load balancers that options add to whatever TARGET declares."""

from dataclasses import replace

from edgeproxy.awslambda.model import FunctionDefinition, FunctionUrl
from edgeproxy.awslambda.policies import (
    INVOKE,
    Permission,
    public_url_statements,
    statement_of,
)
from edgeproxy.loadbalancing.model import (
    AlbForward,
    AlbListener,
    AlbRule,
    LoadBalancer,
    TargetGroup,
)
from edgeproxy.project.identifiers import Identity, function_url_id, hex_id
from edgeproxy.project.loaders.files import FunctionFiles
from edgeproxy.project.loaders.options import Loaded, LoadOptions

__all__ = ["with_doors"]

_NAME = "Default"
_FIRST_PORT = 80
_LOWEST_PRIORITY = 50_001


def with_doors(loaded: Loaded, options: LoadOptions) -> Loaded:
    """``loaded`` with a function URL for each ``--function-url``, named as its function, and the
    load balancer ``Default`` with a listener for each ``--alb``, on ports from 80."""
    project = loaded.project
    files = FunctionFiles(options.identity)
    urls = dict(project.function_urls)
    for given in options.function_urls:
        name = files.add(given, project.functions).name
        urls[name] = FunctionUrl(name, name, function_url_id(name))
    balancers = dict(project.load_balancers)
    if options.load_balancers:
        names = [files.add(given, project.functions).name for given in options.load_balancers]
        balancers[_NAME] = _load_balancer(names, options)
    opened = {name: _open_to_doors(function) for name, function in files.functions.items()}
    functions = {**project.functions, **opened}
    changed = replace(project, functions=functions, function_urls=urls, load_balancers=balancers)
    return replace(loaded, project=changed)


def _open_to_doors(function: FunctionDefinition) -> FunctionDefinition:
    """With the statements that the options' doors need (FU-102, AL-004)."""
    arn = function.spec.arn
    balancer = Permission("Balancer", INVOKE, "elasticloadbalancing.amazonaws.com")
    statements = (*public_url_statements(arn), statement_of(balancer, arn))
    return replace(function, policies={"": statements})


def _load_balancer(functions: list[str], options: LoadOptions) -> LoadBalancer:
    groups = {
        name: TargetGroup(
            logical_id=name,
            arn=_target_group_arn(name, options.identity),
            function=name,
            multi_value_headers=options.multi_value_headers,
        )
        for name in functions
    }
    listeners = tuple(
        AlbListener(port, "HTTP", (AlbRule(_LOWEST_PRIORITY, (), AlbForward(((name, 1),))),))
        for port, name in enumerate(functions, _FIRST_PORT)
    )
    number = int(hex_id("load-balancer", _NAME, 8), 16)
    dns_name = f"{_NAME.lower()}-{number:010}.{options.identity.region}.elb.amazonaws.com"
    return LoadBalancer(_NAME, dns_name, listeners, groups)


def _target_group_arn(name: str, identity: Identity) -> str:
    tail = hex_id("target-group", name)
    return identity.arn("elasticloadbalancing", f"targetgroup/{name}/{tail}")
