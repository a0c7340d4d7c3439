"""TLS by files, over real connections in virtual time."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from ringback.errors import SettingsError
from ringback.web.app import create_app
from ringback.web.server import HANDSHAKE_SECONDS, WebServer
from ringback.web.tls import Certificate
from support.certificates import make_certificate
from support.virtual import run_virtually
from support.web import HEALTHY, METRICS

ASK = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


@asynccontextmanager
async def serving(certificate: Certificate) -> AsyncIterator[int]:
    app = create_app(HEALTHY, METRICS.expose)
    server = WebServer(app, host="127.0.0.1", port=0, drain=1, tls=certificate.context)
    port = server.bind()
    task = asyncio.create_task(server.run())
    try:
        yield port
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


async def asked(port: int, context: ssl.SSLContext | None) -> bytes:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=context and "localhost"
    )
    writer.write(ASK)
    try:
        return await reader.read()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def test_it_is_served_over_tls_alone(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)

    async def work() -> None:
        async with serving(Certificate(*files)) as port:
            answer = await asked(port, trusting(files[0]))
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"strict-transport-security: max-age=31536000" in answer
            with suppress(ConnectionError):
                assert await asked(port, None) == b""

    run_virtually(work())


def test_old_versions_are_not_spoken(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    assert Certificate(*files).context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_handshake_is_not_waited_for_long(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with serving(Certificate(*files)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            began = loop.time()
            assert await reader.read() == b""
            assert loop.time() - began == pytest.approx(HANDSHAKE_SECONDS, abs=0.5)
            writer.close()

    run_virtually(work())


def renew(files: tuple[Path, Path], by: tuple[Path, Path], *, whole: bool = True) -> None:
    for old, new in zip(files, by if whole else by[:1], strict=whole):
        old.write_bytes(new.read_bytes())
        os.utime(old, ns=(1, 1))


def test_a_renewed_certificate_counts_at_once(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    newer = make_certificate(tmp_path, "newer")

    async def work() -> None:
        certificate = Certificate(*files)
        async with serving(certificate) as port:
            renew(files, newer)
            certificate.look()
            assert certificate.trouble is None
            assert (await asked(port, trusting(newer[0]))).startswith(b"HTTP/1.1 200")

    run_virtually(work())


def test_half_of_a_renewal_leaves_the_one_before(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    trusted = tmp_path / "before.crt"
    trusted.write_bytes(files[0].read_bytes())
    newer = make_certificate(tmp_path, "newer")

    async def work() -> None:
        certificate = Certificate(*files)
        async with serving(certificate) as port:
            renew(files, newer, whole=False)
            certificate.look()
            assert "no certificate and its key" in str(certificate.trouble)
            assert (await asked(port, trusting(trusted))).startswith(b"HTTP/1.1 200")
            renew(files, newer)
            certificate.look()
            assert str(certificate.trouble) == "None"
            assert (await asked(port, trusting(newer[0]))).startswith(b"HTTP/1.1 200")

    run_virtually(work())


def test_bad_files_are_refused(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    other, _ = make_certificate(tmp_path, "other")
    with pytest.raises(SettingsError, match="no certificate and its key"):
        Certificate(other, key)
    with pytest.raises(SettingsError, match=r"missing\.crt cannot be read: No such file"):
        Certificate(tmp_path / "missing.crt", key)
    with pytest.raises(SettingsError, match=r"web\.tls_key: .*missing\.key cannot be read"):
        Certificate(certificate, tmp_path / "missing.key")
    key.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        Certificate(certificate, key)


def test_a_key_with_a_password_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    key.write_text(LOCKED)
    with pytest.raises(SettingsError, match="without a password"):
        Certificate(certificate, key)


LOCKED = """-----BEGIN ENCRYPTED PRIVATE KEY-----
bm90aGluZyBvZiB1c2UgdG8gYW55Ym9keQ==
-----END ENCRYPTED PRIVATE KEY-----
"""
