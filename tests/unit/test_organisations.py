"""Several organisations in one deployment: each has a configuration, and names, of its own."""

from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ringback import settings
from ringback.stores.jetstream.permissions import USERS, account, rights_of, user_of
from ringback.stores.jetstream.subjects import Subjects
from ringback.wire.privacy import Contact, Privacy

CONFIGURATION = """
[source]
kind = "genesys"
org = "{org}"

[genesys]
region = "{region}"
client_id = "client-of-{org}"
requests_per_minute = {requests}

[store]
kind = "jetstream"
keep_journal_hours = {hours}

[jetstream]
user = "{org}-all"
partitions = {partitions}

[web]
host = "0.0.0.0"
tokens = "{folder}/tokens"
tls_certificate = "{folder}/certificate"
tls_key = "{folder}/key"
"""
ACME = {"org": "acme", "region": "eu_central_1", "requests": 300, "hours": 168, "partitions": 8}
UMBRELLA = {"org": "umbrella", "region": "us_east_1", "requests": 100, "hours": 24, "partitions": 1}

ORGS = ("a", "a-b", "a.b", "a_2Eb", "A", "in", "steps", "KV_a", "ä*>", "b")
"""As may be mistaken for one another."""


def loaded(folder: Path, **given: object) -> settings.Settings:
    folder.mkdir()
    config, secret, key = folder / "ringback.toml", folder / "secret", folder / "hash-key"
    config.write_text(CONFIGURATION.format(folder=folder, **given), encoding="utf-8")
    secret.write_text(f"the-secret-of-{folder.name}", encoding="utf-8")
    key.write_text(f"what numbers of {folder.name} are hashed with", encoding="utf-8")
    environment = {
        "RINGBACK_GENESYS__CLIENT_SECRET_FILE": str(secret),
        "RINGBACK_PRIVACY__HASH_KEY_FILE": str(key),
    }
    return settings.load(config, environment)


def test_each_organisation_has_its_own_source_limits_key_and_access(tmp_path: Path) -> None:
    acme = loaded(tmp_path / "acme", **ACME)
    umbrella = loaded(tmp_path / "umbrella", **UMBRELLA)
    for one, said in ((acme, ACME), (umbrella, UMBRELLA)):
        assert one.source.org == said["org"]
        assert one.genesys.region == said["region"]
        assert one.genesys.requests_per_minute == said["requests"]
        assert one.store.keep_journal_hours == said["hours"]
        assert one.jetstream.partitions == said["partitions"]
        assert one.web.tokens == str(tmp_path / str(said["org"]) / "tokens")
        assert one.jetstream.user == user_of(Subjects("ringback", one.source.org), "all")
    assert acme.genesys.client_secret != umbrella.genesys.client_secret
    keys = [one.privacy.hash_key.reveal().encode() for one in (acme, umbrella)]
    hashed = [Contact(Privacy(hash_key=key)).emitted(["+4930123456"], None) for key in keys]
    assert hashed[0] != hashed[1]


def names(subjects: Subjects) -> set[str]:
    return {
        subjects.root,
        subjects.inputs,
        subjects.steps,
        f"KV_{subjects.leases}",
        f"KV_{subjects.budgets}",
    }


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_two_organisations_share_a_name(one: str, other: str) -> None:
    assume(one != other)
    assert not names(Subjects("ringback", one)) & names(Subjects("ringback", other))


def matches(allowed: str, subject: str) -> bool:
    """Whether a subject falls under one with wildcards, as NATS reads them."""
    patterns, tokens = allowed.split("."), subject.split(".")
    for index, pattern in enumerate(patterns):
        if pattern == ">":
            return len(tokens) > index
        if index >= len(tokens) or pattern not in {"*", tokens[index]}:
            return False
    return len(patterns) == len(tokens)


def used(subjects: Subjects) -> list[str]:
    """Give subjects that an organisation's processes use."""
    streams = (subjects.inputs, subjects.steps, f"KV_{subjects.leases}", f"KV_{subjects.budgets}")
    return [
        subjects.input(0, "c"),
        subjects.step(0, "c"),
        subjects.step(8, "~receiver/ops"),
        subjects.wants(0),
        f"$KV.{subjects.leases}.alert",
        f"$KV.{subjects.leases}.track.0",
        f"$KV.{subjects.budgets}.channels.0",
        *(f"$JS.API.STREAM.INFO.{stream}" for stream in streams),
        *(f"$JS.API.STREAM.MSG.GET.{stream}" for stream in streams),
        *(f"$JS.API.CONSUMER.CREATE.{stream}" for stream in streams),
        *(f"$JS.API.CONSUMER.CREATE.{stream}.a-watch" for stream in streams),
        *(f"$JS.API.STREAM.CREATE.{stream}" for stream in streams),
    ]


@pytest.mark.parametrize(("one", "other"), list(permutations(ORGS, 2)))
def test_no_user_may_anything_of_another_organisation_even_in_one_account(
    one: str, other: str
) -> None:
    ours, theirs = Subjects("ringback", one), Subjects("ringback", other)
    for user in USERS:
        rights = rights_of(user, ours, 8, "main")
        for subject in used(theirs):
            for allowed in (*rights.publish, *rights.subscribe):
                assert not matches(allowed, subject), (user, allowed, subject)
    setup = rights_of("setup", ours, 8, "main").publish
    missing = [each for each in used(ours) if not any(matches(one, each) for one in setup)]
    assert missing == []


def test_an_account_is_sized_by_its_organisations_settings() -> None:
    small = settings.load(None, {"RINGBACK_JETSTREAM__MOST_MEGABYTES": "16"}).jetstream
    large = settings.load(None, {"RINGBACK_JETSTREAM__MOST_MEGABYTES": "32"}).jetstream
    sizes = [
        int(account("acme", each, "main").partition("max_file: ")[2].split()[0])
        for each in (small, large)
    ]
    assert sizes[1] - sizes[0] == 2 * 16 * 1024 * 1024 * large.replicas
