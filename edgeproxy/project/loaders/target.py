"""A URL or a folder as TARGET: one distribution, ``Default``, made of options."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from edgeproxy.distribution.functions import CloudFrontFunction, KeyValueStore
from edgeproxy.distribution.managed import find_cache_policy, find_origin_request_policy
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    EdgeFunctionKind,
    FunctionAssociation,
    Origin,
    OriginRequestPolicy,
    S3Origin,
)
from edgeproxy.errors import Place, UsageError
from edgeproxy.project.checks.distribution import check_behavior
from edgeproxy.project.checks.functions import check_cloudfront_function
from edgeproxy.project.identifiers import distribution_domain_name, distribution_id, hex_id
from edgeproxy.project.loaders.files import FunctionFiles, read_code_file
from edgeproxy.project.loaders.options import Loaded, LoadOptions
from edgeproxy.project.model import Project
from edgeproxy.project.report import Notes

__all__ = ["is_url", "load_folder", "load_url"]

_NAME = "Default"
_ORIGIN = "origin"
_CACHE_POLICY = "UseOriginCacheControlHeaders-QueryStrings"
_METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(target: str) -> bool:
    return _SCHEME.match(target) is not None


def load_url(target: str, options: LoadOptions) -> Loaded:
    """A distribution in front of a server. Raises :class:`UsageError` for what is no HTTP URL.

    ``origins`` maps the origin to the URL's authority, so that any port may be used; the URL's
    path becomes the origin path.
    """
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{target!r} is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise UsageError(
            f"{target!r} is not the URL of a server",
            remedy="give http:// or https://, a host and a port",
        )
    https = parts.scheme == "https"
    origin = Origin(
        id=_ORIGIN,
        domain_name=parts.hostname,
        config=CustomOrigin(
            protocol_policy="https-only" if https else "http-only",
            http_port=80 if https or port is None else port,
            https_port=port if https and port is not None else 443,
        ),
        origin_path=parts.path.rstrip("/"),
    )
    request_policy = _origin_request_policy(options.origin_request_policy or "AllViewer")
    address = f"{parts.scheme}://{parts.netloc}"
    return _load(origin, address, _METHODS, request_policy, "", options)


def load_folder(folder: Path, options: LoadOptions) -> Loaded:
    """A distribution in front of a folder, which answers as an S3 origin does."""
    bucket = f"{_NAME.lower()}-{hex_id('bucket', _NAME, 8)}"
    origin = Origin(
        id=_ORIGIN,
        domain_name=f"{bucket}.s3.{options.identity.region}.amazonaws.com",
        config=S3Origin(),
    )
    request_policy = (
        _origin_request_policy(options.origin_request_policy)
        if options.origin_request_policy
        else None
    )
    methods = _METHODS[:3]
    return _load(origin, str(folder.resolve()), methods, request_policy, "index.html", options)


def _load(
    origin: Origin,
    address: str,
    methods: tuple[str, ...],
    request_policy: OriginRequestPolicy | None,
    root_object: str,
    options: LoadOptions,
) -> Loaded:
    notes = Notes()
    files = FunctionFiles(options.identity)
    stores = _stores(options.key_value_stores)
    cloudfront = _cloudfront_functions(options, stores, notes)
    if options.public_keys:
        raise UsageError(
            "--public-key: no behavior of a URL or folder asks for signatures",
            remedy="declare TrustedKeyGroups in a template",
        )
    associations = [
        FunctionAssociation(
            event_type,
            EdgeFunctionKind.LAMBDA,
            files.add(given).name,
            "1",
            include_body=options.include_body and event_type.endswith("-request"),
        )
        for event_type, given in options.edge_functions.items()
    ]
    associations += [
        FunctionAssociation(event_type, EdgeFunctionKind.CLOUDFRONT, cloudfront[file].name)
        for event_type, file in options.cloudfront_functions.items()
    ]
    behavior = Behavior(
        path_pattern="*",
        target_origin_id=origin.id,
        cache=_cache_policy(options.cache_policy or _CACHE_POLICY),
        allowed_methods=methods,
        compress=True,
        origin_request_policy=request_policy,
        functions=tuple(associations),
    )
    notes.found(check_behavior(behavior, lambda name: Place(path=name), is_s3=origin.is_s3))
    distribution = Distribution(
        logical_id=_NAME,
        id=distribution_id(_NAME),
        domain_name=distribution_domain_name(_NAME),
        origins={origin.id: origin},
        default_behavior=behavior,
        default_root_object=root_object,
    )
    project = Project(
        distributions={_NAME: distribution},
        functions=files.functions,
        cloudfront_functions={function.name: function for function in cloudfront.values()},
        key_value_stores=stores,
        sources=(*cloudfront, *options.key_value_stores.values()),
    )
    return Loaded(project, {origin.id: address}, findings=notes.findings)


def _cache_policy(name: str) -> CachePolicy:
    policy = find_cache_policy(name)
    if policy is None:
        raise _unknown("--cache-policy", name)
    return policy


def _origin_request_policy(name: str) -> OriginRequestPolicy:
    policy = find_origin_request_policy(name)
    if policy is None:
        raise _unknown("--origin-request-policy", name)
    return policy


def _unknown(option: str, name: str) -> UsageError:
    return UsageError(
        f"{option}: no managed policy is called {name!r}",
        rule="CDN-MP-01",
        remedy="give the name or ID of one of AWS's managed policies",
    )


def _stores(files: Mapping[str, Path]) -> dict[str, KeyValueStore]:
    if not files:
        return {}
    from edgeproxy.project.loaders.edge_resources import read_key_value_data

    return {
        name: KeyValueStore(name, read_key_value_data(file), source=file)
        for name, file in files.items()
    }


def _cloudfront_functions(
    options: LoadOptions, stores: Mapping[str, KeyValueStore], notes: Notes
) -> dict[Path, CloudFrontFunction]:
    """The functions by file; the one store that options name belongs to all of them."""
    if len(stores) > 1 and options.cloudfront_functions:
        raise UsageError(
            "--kvs: a CloudFront Function has at most one key-value store",
            rule="CFF-ASSOC-07",
            remedy="give one, or declare the functions in a template",
        )
    store = next(iter(stores), "")
    made: dict[Path, CloudFrontFunction] = {}
    for file in dict.fromkeys(options.cloudfront_functions.values()):
        taken = [function.name for function in made.values()]
        name = file.stem if file.stem not in taken else f"{file.stem}-{len(taken) + 1}"
        made[file] = CloudFrontFunction(
            name=name,
            runtime="cloudfront-js-2.0",
            code=read_code_file(file),
            key_value_store=store,
            source=file,
            place=Place(file),
        )
        notes.found(check_cloudfront_function(made[file], bool(store), _at(file)))
    return made


def _at(file: Path) -> Callable[[str], Place]:
    return lambda name: Place(file)
