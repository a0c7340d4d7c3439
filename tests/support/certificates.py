"""Certificates that nobody has signed, for servers of tests."""

import ssl
import subprocess
from pathlib import Path

from support.debian import require_debian

__all__ = ["make_certificate", "self_signed"]


def make_certificate(folder: Path, name: str = "certificate") -> tuple[Path, Path]:
    """Make one for this machine; give its file and that of its key."""
    openssl = require_debian("openssl", "openssl")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [openssl, *kind, *names, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    key.chmod(0o600)
    return certificate, key


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make one for this machine; give its file, and what a server uses it with."""
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
