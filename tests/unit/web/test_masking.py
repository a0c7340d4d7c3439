import pytest

from ringback.web.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+4930123467", "…67"),
        ("030 / 12 34-67", "…67"),
        ("67", "…"),
        ("7", "…"),
        ("Canary Quetzal", "C. Q."),
        ("ümit", "ü."),
        ("  ", "…"),
        ("", "…"),
        ("Agent 007 James", "…07"),
        ("hmac:0123456789abcdef", "hmac:0123456789abcdef"),
    ],
)
def test_enough_is_left_to_recognise_and_too_little_to_call(text: str, shown: str) -> None:
    assert masked([text]) == (shown,)


def test_each_is_masked_on_its_own() -> None:
    assert masked(()) == ()
    assert masked(["+15550142233", "Canary Quetzal"]) == ("…33", "C. Q.")
