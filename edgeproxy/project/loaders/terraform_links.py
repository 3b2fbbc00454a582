"""Links between Terraform's resources as CloudFormation writes them: ``Ref`` and ``Fn::GetAtt``.

A link is found by reference, where a value is known only after apply, and by value, where the ID,
ARN or host name of a resource is known already. So each resource goes by the identifiers that are
made up here, whether it exists or not (CDN-CFG-331).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from edgeproxy.distribution.managed import (
    find_cache_policy,
    find_origin_request_policy,
    find_response_headers_policy,
)
from edgeproxy.errors import Place
from edgeproxy.project.identifiers import Identity
from edgeproxy.project.loaders.terraform_document import Declared, Document
from edgeproxy.project.loaders.terraform_names import HOSTS, LINKS, ONLY_CANDIDATES
from edgeproxy.project.loaders.terraform_references import Target, targets_of
from edgeproxy.project.loaders.yaml_source import Items, Table, Value
from edgeproxy.project.report import Notes

__all__ = ["Links", "is_own_policy", "items_of", "slug", "table_of"]

_NAMES = ("bucket", "function_name")
"""Attributes whose text may stand elsewhere and mean something else."""
_LAMBDA = "aws_lambda_function"
_URL = "aws_lambda_function_url"
_IDENTITY = "aws_cloudfront_origin_access_identity"
_FIND: Mapping[str, Callable[[str], object]] = {
    "aws_cloudfront_cache_policy": find_cache_policy,
    "aws_cloudfront_origin_request_policy": find_origin_request_policy,
    "aws_cloudfront_response_headers_policy": find_response_headers_policy,
}


def table_of(**members: Value) -> Table:
    """A mapping that stands nowhere; ``__`` in a name is ``::``."""
    table = Table()
    for name, value in members.items():
        table.put(name.replace("__", "::"), value, None)
    return table


def items_of(values: Iterable[Value], line: int | None = None) -> Items:
    items = Items(line)
    for value in values:
        items.put(value, line)
    return items


def slug(address: str) -> str:
    """An address as a label of a host name or a name on AWS."""
    return re.sub(r"[^a-z0-9]+", "-", address.lower()).strip("-")


class Links:
    """The links of one document."""

    def __init__(self, document: Document, identity: Identity, notes: Notes) -> None:
        self._document = document
        self._identity = identity
        self._notes = notes
        self._by_value: dict[str, Value] = {}
        for resource in document.resources.values():
            if not resource.is_data or is_own_policy(resource):
                self._by_value |= dict(self._known(resource))

    def by_value(self, text: str) -> Value:
        """The link that ``text`` stands for, else ``text``."""
        return self._by_value.get(text, text)

    def host_by_value(self, text: str) -> Value:
        """The same for the domain name of an origin."""
        return self._by_value.get(f"//{text}", self.by_value(text))

    def of(
        self, attribute: str, expression: Value, resource: Declared, place: Place
    ) -> list[Value]:
        """What the unknown values of an attribute refer to."""
        targets = targets_of(self._document, expression, resource)
        kind = ONLY_CANDIDATES.get(attribute)
        if not targets and kind is not None:
            every = self._document.resources.values()
            only = [each for each in every if each.type == kind and not each.is_data]
            if len(only) == 1:
                targets = [Target(only[0])]
                self._notes.approximated(
                    place, f"the plan does not show what it refers to: {only[0].address} is taken"
                )
        if attribute == "domain_name":
            return [self._host(each, place) for each in targets]
        if attribute == "lambda_arn":
            return self._versions(targets, place)
        if attribute == "origin_access_identity":
            return [_identity_path(each.resource.address) for each in targets]
        return [self._link(each, place) for each in targets]

    def _known(self, resource: Declared) -> Iterator[tuple[str, Value]]:
        """The identifiers of a resource that exists, with the links that stand for them."""
        for name, attribute in LINKS.get(resource.type, {}).items():
            text = resource.values.get(name)
            is_name = name in _NAMES or resource.values.get("bucket") == text
            if isinstance(text, str) and text and not is_name:
                yield text, _intrinsic(resource.address, attribute)
        if resource.type == _LAMBDA and (text := _text(resource, "qualified_arn")):
            yield text, _version(resource)
        if resource.type == _URL and (text := _text(resource, "function_url")):
            yield f"//{_host(text)}", _host_of(resource.address, "FunctionUrl")
        if resource.type == _IDENTITY and (
            text := _text(resource, "cloudfront_access_identity_path")
        ):
            yield text, _identity_path(resource.address)
        if text := _text(resource, "website_endpoint"):
            bucket = self._bucket(resource)
            if bucket is not None:
                yield f"//{text}", _host_of(bucket.address, "WebsiteURL")

    def _host(self, target: Target, place: Place) -> Value:
        """The host name that an origin's expression means, whatever it makes of the attribute."""
        resource, attribute = target.resource, target.attribute
        if resource.type == _URL:
            return _host_of(resource.address, "FunctionUrl")
        if resource.type.startswith("aws_s3_bucket"):
            bucket = self._bucket(resource)
            if bucket is not None and attribute == "website_endpoint":
                return _host_of(bucket.address, "WebsiteURL")
            resource = resource if bucket is None else bucket
        known = LINKS.get(resource.type, {})
        if resource.type in HOSTS:
            name = attribute if attribute.endswith("name") and attribute in known else ""
            return _intrinsic(resource.address, known[name or HOSTS[resource.type]])
        text = _text(resource, attribute)
        if text and "." in text:
            return _host(text)
        host = f"{slug(resource.address)}.{slug(attribute or 'host')}.invalid"
        self._notes.approximated(
            place, f"{resource.address} does not exist here; {host} stands for it"
        )
        return host

    def _versions(self, targets: list[Target], place: Place) -> list[Value]:
        """Function versions; ``arn`` and ``version`` of one function together mean one."""
        made: dict[str, Value] = {}
        for target in targets:
            resource = target.resource
            alone = [each.attribute for each in targets if each.resource is resource] == ["arn"]
            is_version = resource.type == _LAMBDA and not alone
            link = _version(resource) if is_version else self._link(target, place)
            made.setdefault(resource.address, link)
        return list(made.values())

    def _link(self, target: Target, place: Place) -> Value:
        resource, attribute = target.resource, target.attribute
        known = LINKS.get(resource.type, {})
        if resource.is_data and resource.type in _FIND:
            name = _written_text(resource, "name")
            managed = _FIND[resource.type](name)
            return getattr(managed, "id", None) or self.by_value(_text(resource, "id") or name)
        if resource.type == _LAMBDA and attribute in ("qualified_arn", "version"):
            return _version(resource) if attribute == "qualified_arn" else _number(resource)
        if resource.type.startswith("aws_s3_bucket_") and (bucket := self._bucket(resource)):
            return _intrinsic(bucket.address, "")
        if attribute in known or (known and not attribute):
            return _intrinsic(resource.address, known[attribute or next(iter(known))])
        if text := _text(resource, attribute):
            return self.by_value(text)
        if attribute.endswith("arn"):
            return self._foreign_arn(resource)
        text = f"{slug(resource.address)}-{slug(attribute or 'id')}"
        self._notes.approximated(place, f"known after apply only; {text} stands for it")
        return text

    def _foreign_arn(self, resource: Declared) -> str:
        service, _, kind = resource.type.removeprefix("aws_").partition("_")
        region = self._document.region(resource) or self._identity.region
        account = self._identity.account
        return f"arn:aws:{service}:{region}:{account}:{slug(kind)}/{slug(resource.address)}"

    def _bucket(self, resource: Declared) -> Declared | None:
        """The bucket itself, or the one that an ``aws_s3_bucket_…`` resource is for."""
        if resource.type == "aws_s3_bucket":
            return resource
        name = resource.values.get("bucket")
        every = self._document.resources.values()
        buckets = [each for each in every if each.type == "aws_s3_bucket"]
        same = [each for each in buckets if name and each.values.get("bucket") == name]
        referred = targets_of(self._document, resource.written.get("bucket"), resource)
        found = [each.resource for each in referred if each.resource.type == "aws_s3_bucket"]
        return next(iter(found + same), None)


def is_own_policy(resource: Declared) -> bool:
    """Whether it is a policy that is looked up and is none of AWS's own (CDN-CFG-335)."""
    find, known = _FIND.get(resource.type), _text(resource, "id")
    return resource.is_data and find is not None and bool(known) and find(known) is None


def _text(resource: Declared, attribute: str) -> str:
    value = resource.values.get(attribute)
    return value if isinstance(value, str) else ""


def _host(text: str) -> str:
    """The host of a URL; other text as it is."""
    return text.partition("//")[2].partition("/")[0] or text


def _written_text(resource: Declared, attribute: str) -> str:
    expression = resource.written.get(attribute)
    constant = expression.get("constant_value") if isinstance(expression, Table) else None
    return _text(resource, attribute) or (constant if isinstance(constant, str) else "")


def _intrinsic(address: str, attribute: str) -> Table:
    if not attribute:
        return table_of(Ref=address)
    return table_of(Fn__GetAtt=items_of([address, attribute]))


def _join(*parts: Value) -> Table:
    return table_of(Fn__Join=items_of(["", items_of(parts)]))


def _host_of(address: str, attribute: str) -> Table:
    """The host in an attribute that is a URL."""
    parts = table_of(Fn__Split=items_of(["/", _intrinsic(address, attribute)]))
    return table_of(Fn__Select=items_of([2, parts]))


def _identity_path(address: str) -> Table:
    return _join("origin-access-identity/cloudfront/", _intrinsic(address, ""))


def _number(resource: Declared) -> str:
    """The version that ``publish`` makes; without it there is none (CDN-CFG-340)."""
    version = _text(resource, "version")
    if version.isdigit():
        return version
    return "1" if resource.values.get("publish") is True else "$LATEST"


def _version(resource: Declared) -> Table:
    return _join(_intrinsic(resource.address, "Arn"), f":{_number(resource)}")
