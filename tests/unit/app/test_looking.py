"""Where the daemon is that is looked at, and who asks."""

import ssl
from pathlib import Path

import pytest

from ringback.app import looking
from ringback.errors import SettingsError
from ringback.terminal.client import Client
from support.certificates import self_signed


def client(url: str | None = None, **given: str | Path) -> Client:
    """Give the client that these options and variables lead to."""
    files = {name: given.pop(name, None) for name in ("token_file", "ca_file", "config")}
    paths = {name: None if each is None else Path(each) for name, each in files.items()}
    environ = {f"RINGBACK_{name}": str(value) for name, value in given.items()}
    return looking.client_for(url, paths["token_file"], paths["ca_file"], paths["config"], environ)


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("127.0.0.1", "8080", "http://127.0.0.1:8080"),
        ("localhost", "9000", "http://localhost:9000"),
        ("::1", "8080", "http://[::1]:8080"),
    ],
)
def test_it_is_the_daemon_that_the_settings_are_of(host: str, port: str, url: str) -> None:
    assert client(WEB__HOST=host, WEB__PORT=port).url == url


def test_with_a_certificate_it_is_reached_by_the_name_that_this_is_of(tmp_path: Path) -> None:
    settings = {"WEB__TLS_CERTIFICATE": "c", "WEB__TLS_KEY": "k", "WEB__PORT": "8443"}
    assert client(**settings).url == "https://127.0.0.1:8443"
    names = "ringback.example.org, other"
    assert (
        client(**settings, WEB__NAMES=names, WEB__TOKENS="t").url
        == "https://ringback.example.org:8443"
    )


def test_a_file_of_settings_says_where(tmp_path: Path) -> None:
    (tmp_path / "ringback.toml").write_text("[web]\nport = 8099\n")
    assert client(config=tmp_path / "ringback.toml").url == "http://127.0.0.1:8099"


def test_an_address_goes_before_the_settings() -> None:
    url = "https://ringback.example.org/behind"
    assert client(f"{url}/", WEB__PORT="no port").url == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ringback.example.org", "is no address such as"),
        ("ftp://ringback.example.org", "is no address such as"),
        ("http://", "is no address such as"),
        ("http://h:0", "is no address such as"),
        ("http://h:port", "is no address such as"),
        ("http://[::1", "is no address such as"),
        ("https://anna:secret@h", "give a token with --token-file"),
        ("https://h/?token=secret", "without ? and #"),
    ],
)
def test_an_address_that_is_none(url: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        client(url)
    assert str(caught.value).startswith("--url: ")
    assert words in str(caught.value)


def test_any_free_port_has_to_be_said() -> None:
    with pytest.raises(SettingsError, match="say with --url which it was"):
        client(WEB__PORT="0")


def test_the_token_is_from_a_file_or_the_environment(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("tok-1\n")
    other.write_text("tok-2\n")
    assert client(token_file=one, TOKEN_FILE=other)._token == "tok-1"
    assert client(TOKEN_FILE=other)._token == "tok-2"
    assert client(TOKEN="tok-3")._token == "tok-3"
    assert client()._token == ""


def test_a_token_that_is_none(tmp_path: Path) -> None:
    bad = tmp_path / "token"
    for content in (b"", b"two words", b"tok\x00", "tök".encode()):
        bad.write_bytes(content)
        with pytest.raises(SettingsError, match="--token-file: it holds no token"):
            client(token_file=bad)
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="does not hold UTF-8"):
        client(TOKEN_FILE=bad)
    with pytest.raises(SettingsError, match=r"RINGBACK_TOKEN_FILE: .* cannot be read: No such"):
        client(TOKEN_FILE=tmp_path / "missing")
    with pytest.raises(SettingsError, match="RINGBACK_TOKEN is set too"):
        client(TOKEN_FILE=bad, TOKEN="tok-1")


def test_a_token_is_sent_to_other_machines_by_https_alone() -> None:
    with pytest.raises(SettingsError, match="sent in clear: give an https address"):
        client("http://ringback.example.org", TOKEN="tok-1")
    for url in ("http://localhost:8080", "http://[::1]:8080", "https://ringback.example.org"):
        assert client(url, TOKEN="tok-1").url == url
    assert client("http://ringback.example.org").url == "http://ringback.example.org"


def test_whom_to_trust_is_in_a_file(tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path)
    trust = client(ca_file=certificate)._trust
    assert isinstance(trust, ssl.SSLContext)
    assert len(trust.get_ca_certs()) == 1
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(SettingsError, match=r"--ca-file: .* holds no certificate"):
        client(ca_file=tmp_path / "empty.pem")
    with pytest.raises(SettingsError, match=r"--ca-file: .* cannot be read: No such"):
        client(ca_file=tmp_path / "missing.pem")
