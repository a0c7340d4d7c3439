from ringback.wire.members import Member, decode_member, encode_member


def test_a_member_is_read_back() -> None:
    member = Member(("listen", "track"), "1.2", "http://there:8080", "2026-01-01T00:00:00Z")
    read = decode_member(encode_member(member))
    assert read is not None
    assert (*read.roles,) == ("listen", "track")
    assert (read.version, read.address, read.since) == (
        "1.2",
        "http://there:8080",
        "2026-01-01T00:00:00Z",
    )


def test_a_member_of_another_version_is_read() -> None:
    assert decode_member(b'{"roles":["serve"],"colour":"red"}') == Member(["serve"])


def test_what_is_none_of_ours_is_none() -> None:
    for said in (b"", b"x", b"[]", b'{"roles":1}', b"{}"):
        assert decode_member(said) is None
