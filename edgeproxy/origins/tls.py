"""TLS towards origins: which protocol versions are offered and whether certificates are checked.

A certificate is checked against the machine's trusted authorities and the name that stands in the
request's Host header, which is the origin's domain unless the viewer's Host is forwarded
(CDN-ORG-11, CDN-ERR-34). Only a loopback address that the user named with ``--origin`` may show
any certificate, so that a dev server with a self-signed one can be used.
"""

import ssl
import warnings
from functools import lru_cache
from typing import Final

__all__ = ["client_context"]

# From the oldest on. SSLv3 is beyond every current library; it counts as TLSv1.
_OLD_VERSIONS: Final = (
    ("SSLv3", ssl.TLSVersion.TLSv1),
    ("TLSv1", ssl.TLSVersion.TLSv1),
    ("TLSv1.1", ssl.TLSVersion.TLSv1_1),
)


@lru_cache(maxsize=64)
def client_context(ssl_protocols: tuple[str, ...], *, verified: bool = True) -> ssl.SSLContext:
    """A context that offers the oldest of ``ssl_protocols`` and everything newer.

    AWS offers exactly the listed versions (CDN-CFG-072). A lower limit is what can be kept here:
    the default of templates is TLSv1 alone, and a local origin rarely speaks that.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    for name, version in _OLD_VERSIONS:
        if name in ssl_protocols:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = version
            # The old versions sign with SHA-1, which the usual security level refuses.
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            break
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
