from pathlib import Path

from ringback.vitals.store import measures_of_store


def test_it_gives_the_sizes_of_the_files_that_are_there_and_the_room_left(tmp_path: Path) -> None:
    path = tmp_path / "ringback.db"
    assert [each.name for each in measures_of_store(path)] == ["ringback_store_free_bytes"]
    path.write_bytes(b"x" * 100)
    (tmp_path / "ringback.db-wal").write_bytes(b"x" * 7)
    sizes = {each.labels["file"]: each.value for each in measures_of_store(path) if each.labels}
    assert sizes == {"database": 100, "log": 7}
    *_, room = measures_of_store(path)
    assert isinstance(room.value, (int, float))
    assert room.value > 0


def test_a_folder_that_is_gone_stops_no_scrape(tmp_path: Path) -> None:
    assert list(measures_of_store(tmp_path / "gone" / "ringback.db")) == []
