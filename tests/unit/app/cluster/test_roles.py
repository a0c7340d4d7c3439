"""Which roles a process has, and who may have any."""

import pytest

from ringback.app.cluster.roles import ALL, Role, roles_of
from ringback.errors import SettingsError
from ringback.settings import Settings
from ringback.settings.schema import StoreSettings

SEVERAL = Settings(store=StoreSettings(kind="jetstream"))


@pytest.mark.parametrize(
    ("texts", "roles"),
    [
        ((), ALL),
        (("listen",), {Role.LISTEN}),
        (("listen,track", "serve"), {Role.LISTEN, Role.TRACK, Role.SERVE}),
        ((" alert , ",), {Role.ALERT}),
    ],
)
def test_roles_are_read(texts: tuple[str, ...], roles: set[Role]) -> None:
    assert roles_of(texts, SEVERAL) == roles


def test_an_unknown_role_is_named_and_so_are_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"'liston' is none: listen, track, serve, alert are"):
        roles_of(["listen,liston"], SEVERAL)


def test_one_process_alone_has_no_roles() -> None:
    assert roles_of([], Settings()) == ALL
    with pytest.raises(SettingsError, match=r"store.kind is sqlite"):
        roles_of(["track"], Settings())
