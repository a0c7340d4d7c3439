"""A certificate that nobody has signed, for servers of tests."""

import ssl
import subprocess
from pathlib import Path

from support.debian import require_debian

__all__ = ["self_signed"]


def self_signed(folder: Path, host: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """Make one for `host`; give its file, and what a server uses it with."""
    openssl = require_debian("openssl", "openssl")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=IP:{host}"]
    subprocess.run(
        [openssl, *kind, *names, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
