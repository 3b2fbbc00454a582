"""Reads ``AWS::Lambda::Permission``: the statements of functions' resource-based policies (LI-214).

What a permission names may be no part of the definition; such a one is noted and has no effect.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.awslambda.policies import (
    INVOKE,
    INVOKE_URL,
    Asker,
    Permission,
    allows,
    public_url_statements,
    statement_of,
)
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders.catalogue import Catalogue, LambdaFunction
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.model import Project
from edgeproxy.project.report import CheckFinding, Severity

__all__ = ["OPENS_ITSELF", "PERMISSIONS", "check_doors", "open_url", "read_permissions"]

PERMISSIONS: Final = ("AWS::Lambda::Permission",)
OPENS_ITSELF: Final = "edgeproxy::OpensItself"
"""The property by which a loader says that its tool adds the statements for everybody (FU-103)."""
_DOORS: Final = ("AWS::Lambda::Url", "AWS::ElasticLoadBalancingV2::TargetGroup")
_VIA_URL: Final = "lambda:invokedviafunctionurl"
_REMEDY: Final = {
    INVOKE_URL: "add an AWS::Lambda::Permission with Principal '*' and FunctionUrlAuthType: NONE",
    INVOKE: "add an AWS::Lambda::Permission with Principal '*' and InvokedViaFunctionUrl: true",
}


def read_permissions(templates: Iterable[Template], catalogue: Catalogue) -> bool:
    """Give the functions of the catalogue their statements; whether all of them could be read."""
    all_read = True
    for template in templates:
        for resource in template.resources(*PERMISSIONS):
            try:
                _read(resource, catalogue)
            except DefinitionError as error:
                all_read = False
                why = f"{resource.type}: {error.args[0] if error.args else error}"
                resource.properties.source.notes.ignored(resource.place, why)
    return all_read


def _read(resource: Resource, catalogue: Catalogue) -> None:
    properties = resource.properties
    function, arn = catalogue.lambda_function(properties, "FunctionName", need_code=False)
    qualifier = properties.text("Qualifier", arn.qualifier)
    via_url = properties.has("InvokedViaFunctionUrl")
    permission = Permission(
        properties.text("StatementId", resource.logical_id),
        properties.text("Action"),
        properties.text("Principal"),
        source_arn=properties.text("SourceArn", ""),
        source_account=properties.text("SourceAccount", ""),
        url_auth_type=properties.choice("FunctionUrlAuthType", ("NONE", "AWS_IAM"), ""),
        organization=properties.text("PrincipalOrgID", ""),
        event_source_token=properties.text("EventSourceToken", ""),
        via_function_url=properties.boolean("InvokedViaFunctionUrl") if via_url else None,
    )
    if permission.url_auth_type and permission.action != INVOKE_URL:
        finding = CheckFinding(
            "LI-214",
            properties.place("FunctionUrlAuthType"),
            "InvalidParameterValueException: FunctionUrlAuthType is only supported for "
            f"{INVOKE_URL} action",
            "leave it out, or say InvokedViaFunctionUrl: true",
        )
        properties.found([finding])
    properties.finish()
    statement = statement_of(permission, _resource(function, qualifier))
    function.policies[qualifier] = (*function.policies.get(qualifier, ()), statement)


def open_url(function: LambdaFunction, qualifier: str) -> None:
    """Add what opens a function URL to everybody (FU-103)."""
    added = public_url_statements(_resource(function, qualifier))
    function.policies[qualifier] = (*function.policies.get(qualifier, ()), *added)


def _resource(function: LambdaFunction, qualifier: str) -> str:
    arn = function.definition.spec.arn
    return f"{arn}:{qualifier}" if qualifier else arn


def check_doors(
    templates: Iterable[Template], project: Project, catalogue: Catalogue
) -> Iterator[CheckFinding]:
    """Doors that no policy opens: function URLs, load balancers, and the way from CloudFront."""
    places = {
        resource.logical_id: resource.place
        for template in templates
        for resource in template.resources(*_DOORS)
    }
    for url in project.function_urls.values():
        if url.logical_id not in places:
            continue
        function = catalogue.lambda_functions[url.function]
        facts = {"lambda:functionurlauthtype": url.auth_type, _VIA_URL: "true"}
        asker = Asker(facts=facts)
        if url.auth_type == "NONE":
            for action in _missing(function, url.qualifier, asker, INVOKE_URL, INVOKE):
                yield CheckFinding(
                    "FU-102",
                    places[url.logical_id],
                    f"{url.logical_id} answers 403: no policy allows everybody {action}.",
                    _REMEDY[action],
                    Severity.WARNING,
                )
            continue
        for distribution, arn in _signing_for(url, project, function):
            source = {"aws:sourcearn": arn, "aws:sourceaccount": arn.split(":")[4]}
            asker = Asker("cloudfront.amazonaws.com", facts={**facts, **source})
            for action in _missing(function, url.qualifier, asker, INVOKE_URL, INVOKE):
                yield CheckFinding(
                    "FU-107",
                    places[url.logical_id],
                    f"{url.logical_id} answers 403 to {distribution}: no policy allows "
                    f"cloudfront.amazonaws.com {action}.",
                    "add an AWS::Lambda::Permission with the distribution's ARN as SourceArn",
                    Severity.WARNING,
                )
    for balancer in project.load_balancers.values():
        for group in balancer.target_groups.values():
            if not group.function or group.logical_id not in places:
                continue
            function = catalogue.lambda_functions[group.function]
            source = {"aws:sourcearn": group.arn, "aws:sourceaccount": group.arn.split(":")[4]}
            asker = Asker("elasticloadbalancing.amazonaws.com", facts=source)
            for action in _missing(function, group.qualifier, asker, INVOKE):
                yield CheckFinding(
                    "AL-004",
                    places[group.logical_id],
                    f"AccessDenied: no policy of {group.function} allows "
                    f"elasticloadbalancing.amazonaws.com {action} for this target group.",
                    "add an AWS::Lambda::Permission with this principal",
                    Severity.WARNING,
                )


def _missing(function: LambdaFunction, qualifier: str, asker: Asker, *actions: str) -> list[str]:
    statements = function.policies.get(qualifier, ())
    arn = _resource(function, qualifier)
    return [action for action in actions if not allows(statements, action, arn, asker)]


def _signing_for(
    url: FunctionUrl, project: Project, function: LambdaFunction
) -> Iterator[tuple[str, str]]:
    """The distributions that sign requests to a function URL, by logical ID and ARN."""
    account = function.definition.spec.arn.split(":")[4]
    for distribution in project.distributions.values():
        for origin in distribution.origins.values():
            if origin.access_control and origin.domain_name.startswith(f"{url.url_id}."):
                arn = f"arn:aws:cloudfront::{account}:distribution/{distribution.id_in_events}"
                yield distribution.logical_id, arn
