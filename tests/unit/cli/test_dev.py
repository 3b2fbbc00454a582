import subprocess
import sys


def test_aiohttp_is_imported_without_certificates_and_nobody_else_is() -> None:
    code = """
import ssl
from edgeproxy.cli import dev
dev._import_aiohttp()
import aiohttp.connector as its
assert its._SSL_CONTEXT_VERIFIED.verify_mode is ssl.CERT_REQUIRED
assert not its._SSL_CONTEXT_VERIFIED.get_ca_certs()
assert "set_default_verify_paths" not in vars(ssl.SSLContext)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
