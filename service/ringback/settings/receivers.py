"""Who is told of alerts: the options of one receiver, and what each kind of it needs."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import msgspec

from ringback.errors import SettingsError
from ringback.settings.describing import Secret, between, listed, means

__all__ = ["EXAMPLE", "RECEIVERS", "ReceiverSettings", "check_receivers"]

RECEIVERS = "receivers"
"""The section that holds a table for each."""
EXAMPLE = "ops"
"""What the receiver is called in the file that names every option."""
NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,31}")
A_NAME = "1 to 32 small letters, digits and underscores, a letter or digit first"


class ReceiverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One that is told of alerts: any number of tables, each with a name of its own.

    Its secrets may also be given as url_file and secret_file, the paths of files that hold them.
    """

    kind: Annotated[
        Literal["webhook", "alertmanager", "slack", "teams", "pagerduty", "email", "stdout"],
        means("What it is: docs/receivers.md says what each needs."),
    ] = "webhook"
    url: Annotated[
        Secret,
        means(
            "Where messages go. Treated as a secret, because such addresses often are one. For"
            " email smtp://host:587 (with STARTTLS) or smtps://host:465; pagerduty has its own.",
            "an https:// address; http:// with allow_private",
        ),
    ] = Secret()
    secret: Annotated[
        Secret,
        means(
            "webhook: the key that signs, whsec_ and base64, or several while one replaces another;"
            " pagerduty: the integration key; alertmanager: a bearer token, if it asks for one;"
            " email: the password, if it does.",
            "a text",
        ),
    ] = Secret()
    user: Annotated[str, means("email: the name to log in with, if the server asks for one.")] = ""
    sender: Annotated[str, means("email: the address that messages come from.")] = ""
    to: Annotated[str, means("email: the addresses that they go to, separated by commas.")] = ""
    severities: Annotated[
        str,
        means(
            "Which alerts it is told of, separated by commas. Empty: all.",
            "info, warning, critical",
        ),
    ] = ""
    rules: Annotated[
        str, means("Of which rules, separated by commas, with * and ? as wildcards. Empty: all.")
    ] = ""
    queues: Annotated[
        str,
        means(
            "Of which queues, separated by commas: names, with * and ? as wildcards, or id:<id>."
            " Empty: all, and alerts about no queue."
        ),
    ] = ""
    group_seconds: Annotated[
        float,
        between(
            0, 3600, "Alerts of one rule and queue that change within so long are one message."
        ),
    ] = 5.0
    most_per_minute: Annotated[
        int,
        between(
            1,
            600,
            "Messages in any minute, the last of them kept for what is critical. What is beyond is"
            " told in one digest as soon as there may be another. Not for alertmanager.",
        ),
    ] = 6
    give_up_seconds: Annotated[
        float,
        between(
            1,
            7 * 86_400,
            "A message that was not taken for so long is put aside as a dead letter; what still"
            " fires is told anew.",
        ),
    ] = 3600.0
    timeout_seconds: Annotated[float, between(0.1, 300, "How long one attempt may take.")] = 10.0
    allow_private: Annotated[
        bool,
        means("Let it be on this machine or in a private network, and be reached without TLS."),
    ] = False


class _Needs(NamedTuple):
    """Which of the options that only some kinds take one kind takes."""

    needed: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


OF_SOME = ("url", "secret", "user", "sender", "to")
KINDS = {
    "webhook": _Needs(("url",), ("secret",)),
    "alertmanager": _Needs(("url",), ("secret",)),
    "slack": _Needs(("url",)),
    "teams": _Needs(("url",)),
    "pagerduty": _Needs(("secret",), ("url",)),
    "email": _Needs(("url", "sender", "to"), ("user", "secret")),
    "stdout": _Needs(),
}
SEVERITIES = ("info", "warning", "critical")


def check_receivers(receivers: Mapping[str, ReceiverSettings]) -> None:
    """Raise `SettingsError` for what is missing, or can mean nothing."""
    for name, receiver in receivers.items():
        path = f"{RECEIVERS}.{name}"
        if not NAME.fullmatch(name):
            raise SettingsError(path, f"is no name for a receiver; allowed: {A_NAME}")
        needs = KINDS[receiver.kind]
        for key in OF_SOME:
            given = bool(getattr(receiver, key))
            if key in needs.needed and not given:
                raise SettingsError(f"{path}.{key}", f"kind {receiver.kind} needs it")
            if given and key not in needs.needed + needs.also:
                raise SettingsError(f"{path}.{key}", f"kind {receiver.kind} has no use for it")
        for severity in listed(receiver.severities):
            if severity not in SEVERITIES:
                raise SettingsError(
                    f"{path}.severities", f"{severity!r} is none; allowed: {', '.join(SEVERITIES)}"
                )
