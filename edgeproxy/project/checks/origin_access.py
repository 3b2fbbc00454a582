"""Why an origin access control cannot work where it is (CDN-S3-03, CDN-S3-10 to 16)."""

import re
from collections.abc import Iterator
from typing import Final

from edgeproxy.distribution.aws_names import bucket_of, is_function_url, is_website_endpoint
from edgeproxy.distribution.forwarded import plan_of
from edgeproxy.distribution.model import Behavior, Distribution, Origin, S3Origin, SigningBehavior
from edgeproxy.distribution.tenants import without_parameters
from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding, Severity

__all__ = ["check_access_in_behaviors", "check_origin_access"]

_CONTROL = "OriginAccessControlId"
_IDENTITY: Final = re.compile(r"origin-access-identity/cloudfront/[^/]+")


def check_origin_access(origin: Origin, where: Where) -> Iterator[CheckFinding]:
    """One origin and its access control or identity."""
    control, config = origin.access_control, origin.config
    identity = config.origin_access_identity if isinstance(config, S3Origin) else ""
    if identity and control is not None:
        yield CheckFinding(
            "CDN-CFG-067",
            where(_CONTROL),
            "IllegalOriginAccessConfiguration: an origin has an origin access control or an origin "
            "access identity, not both.",
            "set OriginAccessIdentity to the empty string",
        )
    if identity and not _IDENTITY.fullmatch(identity):
        yield CheckFinding(
            "CDN-CFG-069",
            where("S3OriginConfig"),
            f"InvalidOriginAccessIdentity: {identity} is no origin access identity.",
            "write origin-access-identity/cloudfront/ID, or leave it empty",
        )
    domain = without_parameters(origin.domain_name)
    if is_website_endpoint(domain) and (control is not None or isinstance(config, S3Origin)):
        what = "origin access control" if control is not None else "S3OriginConfig"
        yield CheckFinding(
            "CDN-S3-03",
            where(_CONTROL if control is not None else "DomainName"),
            f"{domain} is a website endpoint, with which {what} does not work.",
            "use the bucket's RegionalDomainName, or CustomOriginConfig with http-only and no "
            "access control",
        )
    elif control is not None and _is_of_other_type(control.origin_type, origin, domain):
        yield CheckFinding(
            "CDN-S3-14",
            where(_CONTROL),
            f"InvalidOriginAccessControl: one for {control.origin_type} origins does not fit "
            f"{domain}.",
            "make OriginAccessControlOriginType that of the origin",
        )
    is_http = isinstance(config, S3Origin) or config.protocol_policy == "http-only"
    if is_website_endpoint(domain) and not is_http:
        yield CheckFinding(
            "CDN-S3-03",
            where("CustomOriginConfig"),
            f"{domain} is a website endpoint, which speaks HTTP only.",
            "set OriginProtocolPolicy to http-only",
            Severity.WARNING,
        )
    if control is None or control.origin_type == "lambda":
        return
    if control.signing_behavior is SigningBehavior.ALWAYS_AMZ_AUTH:
        yield CheckFinding(
            "CDN-CFG-218",
            where(_CONTROL),
            "InvalidArgument: always-amz-auth is for Lambda origins only.",
            "set SigningBehavior to always",
        )


def _is_of_other_type(origin_type: str, origin: Origin, domain: str) -> bool:
    if origin_type == "s3" or bucket_of(domain):
        return origin_type != "s3" or not origin.is_s3
    return (origin_type == "lambda") != is_function_url(domain)


def check_access_in_behaviors(distribution: Distribution, where: Where) -> Iterator[CheckFinding]:
    """What the behaviors forward to origins whose requests are signed."""
    ordered = [("CacheBehaviors", behavior) for behavior in distribution.behaviors]
    for name, behavior in [("DefaultCacheBehavior", distribution.default_behavior), *ordered]:
        for origin in _origins_of(distribution, behavior):
            for rule, message, remedy, severity in _objections(behavior, origin):
                about = f"{behavior.path_pattern} to {origin.id}: {message}"
                yield CheckFinding(rule, where(name), about, remedy, severity)


def _origins_of(distribution: Distribution, behavior: Behavior) -> list[Origin]:
    target = behavior.target_origin_id
    group = distribution.origin_groups.get(target)
    members = (group.primary, group.secondary) if group is not None else (target,)
    return [distribution.origins[name] for name in members]


def _objections(behavior: Behavior, origin: Origin) -> Iterator[tuple[str, str, str, Severity]]:
    control = origin.access_control
    if control is None or control.signing_behavior is SigningBehavior.NEVER:
        return
    headers = plan_of(behavior).headers
    if control.signing_behavior is SigningBehavior.NO_OVERRIDE and "authorization" not in headers:
        yield (
            "CDN-S3-11",
            "no-override never sees the viewer's Authorization on GET and HEAD: all are signed.",
            "add Authorization to the cache policy",
            Severity.WARNING,
        )
    if control.origin_type != "lambda":
        return
    if "host" in headers:
        yield (
            "CDN-S3-16",
            "the viewer's Host is forwarded, and the function URL answers 403 to it.",
            "use the origin request policy AllViewerExceptHostHeader",
            Severity.ERROR,
        )
    if "PUT" in behavior.allowed_methods:
        yield (
            "CDN-S3-15",
            "Lambda answers 403 to a body whose hash the viewer does not send.",
            "send x-amz-content-sha256 with PUT and POST",
            Severity.WARNING,
        )
