import ssl

import pytest

from ringback.sources.socket import Cause, Ending, display_url, refusal


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ssl.SSLCertVerificationError(1, "secret"), Cause.TLS),
        (ssl.SSLError(1, "secret"), Cause.TLS),
        (TimeoutError("secret"), Cause.TIMED_OUT),
        (ConnectionRefusedError("secret"), Cause.UNREACHABLE),
        (ImportError("secret"), Cause.PROXY),
        (ValueError("secret"), Cause.REJECTED),
    ],
)
def test_a_refusal_is_told_in_fixed_words(error: Exception, cause: Cause) -> None:
    assert refusal(error) == Ending(cause, cause.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://localhost:8080/feed", "ws://localhost:8080/feed"),
        ("wss://me:secret@host/feed?token=secret", "wss://host/feed?..."),
        ("wss://host/feed#secret", "wss://host/feed"),
        ("ws://[::1]:81/", "ws://[::1]:81/"),
        ("ws://host:port/", "(not a URL)"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert display_url(url) == shown
