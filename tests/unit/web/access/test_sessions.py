import stat
from datetime import timedelta
from pathlib import Path

import pytest

from ringback.errors import AuditError, SettingsError
from ringback.web.access.sessions import MOST_ENDED, Session, Sessions
from support.callbacks import at

LIFETIME = timedelta(hours=1)
TOKEN = b"d" * 32


def opened(folder: Path) -> Sessions:
    return Sessions(folder / "sessions.json", LIFETIME)


def begun(sessions: Sessions, seconds: float = 0) -> Session:
    found = sessions.find(sessions.begin(TOKEN, at(seconds)), at(seconds))
    assert found is not None
    return found


def test_a_session_belongs_to_its_token_alone(tmp_path: Path) -> None:
    sessions = opened(tmp_path)
    session = begun(sessions)
    assert sessions.of(session, TOKEN)
    assert not sessions.of(session, b"e" * 32)
    assert TOKEN not in session.mark


def test_a_session_lasts_for_its_time(tmp_path: Path) -> None:
    sessions = opened(tmp_path)
    cookie = sessions.begin(TOKEN, at(0))
    assert sessions.find(cookie, at(3599)) is not None
    assert sessions.find(cookie, at(3600)) is None
    # A clock that was set back makes none longer than sessions may be.
    assert sessions.find(cookie, at(-3600)) is None


async def test_what_was_ended_stays_so_over_a_restart(tmp_path: Path) -> None:
    sessions = opened(tmp_path)
    cookie, other = sessions.begin(TOKEN, at(0)), sessions.begin(TOKEN, at(0))
    session = sessions.find(cookie, at(0))
    assert session is not None
    await sessions.end(session, at(1))
    for one in (sessions, opened(tmp_path)):
        assert one.find(cookie, at(2)) is None
        assert one.find(other, at(2)) is not None
    assert stat.S_IMODE((tmp_path / "sessions.json").stat().st_mode) == 0o600
    assert not (tmp_path / "sessions.json.new").exists()


async def test_whoever_shares_the_key_knows_a_session_and_others_do_not(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    keys = ("k" * 32, "k" * 32, "l" * 32)
    one, same, other = (
        Sessions(folder / "sessions.json", LIFETIME, key)
        for folder, key in zip(folders, keys, strict=True)
    )
    cookie = one.begin(TOKEN, at(0))
    found = same.find(cookie, at(1))
    assert found is not None
    assert same.of(found, TOKEN)
    assert other.find(cookie, at(1)) is None
    assert opened(tmp_path).find(cookie, at(1)) is None


async def test_a_shared_key_is_not_changed_and_what_was_ended_stays_so(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions.json", LIFETIME, "k" * 32)
    lasting, ended = sessions.begin(TOKEN, at(0)), sessions.begin(TOKEN, at(0))
    session = sessions.find(ended, at(0))
    assert session is not None
    await sessions.end(session, at(0))
    for _ in range(MOST_ENDED):
        await sessions.end(begun(sessions), at(0))
    assert sessions.find(lasting, at(1)) is not None
    assert sessions.find(ended, at(1)) is None


async def test_so_many_ended_ones_that_all_end(tmp_path: Path) -> None:
    sessions = opened(tmp_path)
    lasting = sessions.begin(TOKEN, at(0))
    for _ in range(MOST_ENDED):
        await sessions.end(begun(sessions), at(0))
    assert sessions.find(lasting, at(0)) is not None
    await sessions.end(begun(sessions), at(0))
    assert sessions.find(lasting, at(0)) is None


async def test_an_end_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    sessions = opened(tmp_path)
    session = begun(sessions)
    (tmp_path / "sessions.json.new").mkdir()
    with pytest.raises(AuditError):
        await sessions.end(session, at(0))
    assert not sessions.lasts(session, at(0))


@pytest.mark.parametrize("content", [b"", b"{}", b'{"key":""}', b'{"key":"c2hvcnQ="}', b"\xff"])
def test_a_file_that_is_none_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sessions.json").write_bytes(content)
    sessions = opened(tmp_path)
    assert opened(tmp_path).find(sessions.begin(TOKEN, at(0)), at(0)) is not None


def test_a_file_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sessions.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="symbolic links"):
        opened(tmp_path)
