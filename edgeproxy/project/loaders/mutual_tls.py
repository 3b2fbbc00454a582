"""Reads mutual TLS with viewers: trust stores, connection functions, and who uses them.

The certificates of a trust store lie in S3. They are read from what ``--trust-store`` names, or
from a file beside the template that is called like the object (CDN-CFG-040).
"""

from collections.abc import Iterable
from pathlib import Path

from edgeproxy.distribution.functions import CloudFrontFunction
from edgeproxy.distribution.model import Distribution
from edgeproxy.distribution.mutual_tls import TrustStore, ViewerMtls, ViewerMtlsMode
from edgeproxy.errors import DefinitionError, Place, UsageError
from edgeproxy.project.checks.functions import check_cloudfront_function, check_published
from edgeproxy.project.identifiers import connection_function_id, trust_store_id
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.edge_resources import associated_store
from edgeproxy.project.loaders.options import LoadOptions
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template

__all__ = [
    "given_trust_stores",
    "read_connection_association",
    "read_mutual_tls_resources",
    "read_viewer_mtls",
    "require_trust_stores",
]

_RUNTIME = "cloudfront-js-2.0"


def given_trust_stores(options: LoadOptions) -> dict[str, TrustStore]:
    """The trust stores of ``--trust-store``, under the names that it gives them."""
    return {name: TrustStore(name, _bundle(file)) for name, file in options.trust_stores.items()}


def require_trust_stores(
    options: LoadOptions, catalogue: Catalogue, distributions: Iterable[Distribution]
) -> None:
    """Refuse a ``--trust-store`` that nothing uses."""
    used = {each.viewer_mtls.trust_store.id for each in distributions if each.viewer_mtls}
    for name in options.trust_stores:
        if name in catalogue.trust_stores and name not in used:
            raise UsageError(
                f"--trust-store: no distribution has a trust store {name!r}",
                remedy="name it as the definition does: " + (", ".join(sorted(used)) or "none"),
            )


def read_mutual_tls_resources(
    template: Template, catalogue: Catalogue, options: LoadOptions
) -> list[Path]:
    """Fill ``catalogue`` from one template; the files of certificates that were read."""
    files = list(options.trust_stores.values())
    for resource in template.resources("AWS::CloudFront::TrustStore"):
        store, file = _trust_store(resource, template, catalogue)
        catalogue.trust_stores[store.id] = store
        files += [file] if file is not None else []
    for resource in template.resources("AWS::CloudFront::ConnectionFunction"):
        function = _connection_function(resource, catalogue)
        catalogue.connection_functions[function.id] = function
    return files


def _trust_store(
    resource: Resource, template: Template, catalogue: Catalogue
) -> tuple[TrustStore, Path | None]:
    properties, store_id = resource.properties, trust_store_id(resource.logical_id)
    names = (store_id, properties.text("Name"), resource.logical_id)
    properties.ignore(NOT_TRAFFIC, "Tags")
    given = [store for name in names if (store := catalogue.trust_stores.pop(name, None))]
    source = properties.section("CaCertificatesBundleSource")
    file = None
    if source is not None:
        location = source.required_section("CaCertificatesBundleS3Location")
        key = location.text("Key")
        location.ignore("the bundle is read from this machine", "Bucket", "Region", "Version")
        file = _file_called(key, template)
        if not (given or file):
            location.source.notes.ignored(
                location.place("Key"),
                f"the file lies in S3, so nobody is trusted; give --trust-store {names[1]}=FILE",
            )
        location.finish()
        source.finish()
    properties.finish()
    if given:
        return TrustStore(store_id, given[0].ca_bundle), None
    return TrustStore(store_id, _bundle(file) if file else ""), file


def _file_called(key: str, template: Template) -> Path | None:
    """A CDK asset, or a file beside the template, in the place of an object in S3."""
    candidates = (template.assets.get(key.rsplit("/", 1)[-1]), template.file.parent / key)
    return next((file for file in candidates if file is not None and file.is_file()), None)


def _bundle(file: Path) -> str:
    # Only who has a trust store pays for the imports.
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        data = file.read_bytes()
    except OSError as error:
        raise DefinitionError(
            f"the certificates cannot be read: {error.strerror}", place=Place(file)
        ) from error
    try:
        # Comments may stand between the certificates, and only certificates count.
        certificates = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise DefinitionError(
            "is no bundle of certificates in PEM",
            place=Place(file),
            rule="CDN-CFG-040",
            remedy="put the authorities' certificates one after the other",
        ) from error
    return "".join(each.public_bytes(Encoding.PEM).decode("ascii") for each in certificates)


def _connection_function(resource: Resource, catalogue: Catalogue) -> CloudFrontFunction:
    """A connection function; its code runs whether or not it is published."""
    properties = resource.properties
    config = properties.required_section("ConnectionFunctionConfig")
    properties.ignore(NOT_TRAFFIC, "Tags")
    if not properties.boolean("AutoPublish", False):
        properties.approximate("AutoPublish", "the code runs although it would not be published")
        properties.found(check_published(properties.place("AutoPublish"), "CFF-CONN-04"))
    if config.text("Runtime") != _RUNTIME:
        raise config.error(
            "Runtime",
            f"a connection function cannot run on {config.text('Runtime')!r}",
            rule="CFF-CONN-01",
            remedy=f"set Runtime to {_RUNTIME}",
        )
    stores = [
        associated_store(each, catalogue) for each in config.sections("KeyValueStoreAssociations")
    ]
    function = CloudFrontFunction(
        name=properties.text("Name"),
        runtime=_RUNTIME,
        code=properties.text("ConnectionFunctionCode"),
        key_value_store=stores[0].name if stores else "",
        logical_id=resource.logical_id,
        place=properties.place("ConnectionFunctionCode"),
        comment=config.text("Comment", ""),
        handler="connectionHandler",
        id=connection_function_id(resource.logical_id),
    )
    config.finish()
    properties.finish()
    properties.found(check_cloudfront_function(function, len(stores), properties.place))
    if function.name in [each.name for each in catalogue.connection_functions.values()]:
        raise properties.error(
            "Name",
            f"another connection function is named {function.name!r}",
            rule="CFF-ASSOC-06",
            remedy="names are unique in an account",
        )
    return function


def read_viewer_mtls(config: Section, catalogue: Catalogue) -> ViewerMtls | None:
    """``ViewerMtlsConfig`` of a distribution; None when viewers are not asked for certificates."""
    section = config.section("ViewerMtlsConfig")
    if section is None or not section.values:
        return None
    mode = ViewerMtlsMode(section.choice("Mode", list(ViewerMtlsMode), ViewerMtlsMode.REQUIRED))
    config.approximate("ViewerMtlsConfig", "viewers are asked for certificates on --https-port")
    store, advertises_names, ignores_expiry = TrustStore(""), False, False
    settings = section.section("TrustStoreConfig")
    if settings is not None:
        store_id = settings.text("TrustStoreId")
        store = catalogue.trust_stores.get(store_id, TrustStore(store_id))
        ignores_expiry = settings.boolean("IgnoreCertificateExpiry", False)
        advertises_names = settings.boolean("AdvertiseTrustStoreCaNames", False)
        if advertises_names:
            settings.approximate(
                "AdvertiseTrustStoreCaNames", "viewers are not told the authorities' names"
            )
        settings.finish()
    if mode is ViewerMtlsMode.PASSTHROUGH:
        section.approximate(
            "Mode",
            "viewers are not asked for certificates: one that nobody checks cannot be taken here",
        )
    section.finish()
    return ViewerMtls(mode, store, advertises_names, ignores_expiry)


def read_connection_association(config: Section, catalogue: Catalogue) -> str:
    """The name of the distribution's connection function, empty when there is none."""
    section = config.section("ConnectionFunctionAssociation")
    if section is None:
        return ""
    function_id = section.text("Id")
    section.finish()
    function = catalogue.connection_functions.get(function_id)
    if function is None:
        section.source.notes.ignored(
            section.place("Id"),
            f"the code of {function_id} is not in the definition: no function judges connections",
        )
        return ""
    return function.name
