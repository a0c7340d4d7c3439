import os
from pathlib import Path

import pytest

from ringback.errors import SettingsError
from ringback.web.access.tokens import read_tokens
from ringback.web.visitors import Role, Visitor
from support.access import TOKENS, tokens_file

TOKEN = "canary-" + "x" * 40


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "tokens"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_each_line_is_somebody(tmp_path: Path) -> None:
    tokens = read_tokens(tokens_file(tmp_path, "# nobody", "", "  viewer  wall.1   " + TOKEN))
    found = tokens.find(TOKENS["operator"][1])
    assert found is not None
    assert found.visitor == Visitor("olga", Role.OPERATOR)
    wall = tokens.find(TOKEN)
    assert wall is not None
    assert wall.visitor == Visitor("wall.1", Role.VIEWER)
    assert len(tokens) == 4


@pytest.mark.parametrize("text", ["", TOKEN, TOKENS["viewer"][1][:-1], "\udcff", "eve", "ÿ" * 40])
def test_what_is_no_token_is_nobodys(tmp_path: Path, text: str) -> None:
    assert read_tokens(tokens_file(tmp_path)).find(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no token; a line is: role name token"),
        ("# all gone\n", "holds no token"),
        (f"viewer {TOKEN}\n", "tokens:1: a line is: role name token; this one has 2 parts"),
        (f"viewer eve {TOKEN} x\n", "this one has 4 parts"),
        (f"\nadmin eve {TOKEN}\n", "tokens:2: there is no such role; known: viewer, operator"),
        (f"viewer é {TOKEN}\n", "the name is not allowed"),
        (f"viewer {'n' * 65} {TOKEN}\n", "the name is not allowed"),
        ("viewer eve canary-short\n", "allowed: 32 to 512 characters"),
        (f"viewer eve {TOKEN}é\n", "the token is not allowed"),
        (f"viewer eve {'canary' * 86}\n", "the token is not allowed"),
        (f"viewer eve {TOKEN}\noperator olga {TOKEN}\n", "tokens:2: this token is there already"),
        ("#" * 65_537, "is larger than 65536 bytes"),
    ],
)
def test_a_bad_file_is_refused_and_not_quoted(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_tokens(written(tmp_path, text))
    assert caught.value.path == "web.tokens"
    assert words in caught.value.problem
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, f"viewer eve {TOKEN}\n", mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_tokens(path)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_tokens(tmp_path / "missing")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_tokens(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SettingsError, match="no plain file"):
        read_tokens(tmp_path / "pipe")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "bytes").chmod(0o600)
    with pytest.raises(SettingsError, match="UTF-8"):
        read_tokens(tmp_path / "bytes")


def test_a_read_file_keeps_no_token_in_clear(tmp_path: Path) -> None:
    tokens = read_tokens(tokens_file(tmp_path))
    assert all(token not in repr(list(tokens)) for _, token in TOKENS.values())
