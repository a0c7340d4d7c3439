"""What loads, what is refused and in which words, and that the shipped file is current."""

import re
from pathlib import Path

import pytest

from ringback.errors import SettingsError
from ringback.settings import ReceiverSettings, Secret, Settings, example, load
from ringback.settings.options import options, receiver_options

SHIPPED = Path(__file__).parents[2] / "config" / "ringback.toml"
OPEN = '[web]\nhost = "0.0.0.0"\ntokens = "t"\n'
KEY = "canary-hash-key-0123456789"


def written(folder: Path, text: str) -> Path:
    path = folder / "ringback.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(written(folder, text), {})
    return caught.value


def test_nothing_given_is_the_defaults() -> None:
    settings = load(None, {"PATH": "/usr/bin", "RINGBACK_NO_SKIPS": "1"})
    assert settings == Settings()
    assert (settings.source.kind, settings.store.kind) == ("simulator", "sqlite")
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8080)


def test_the_shipped_file_is_current_and_loads_to_the_defaults() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == example()
    assert load(SHIPPED, {}) == Settings()


def test_the_shipped_file_names_every_option_with_its_default(tmp_path: Path) -> None:
    uncommented = re.sub(r"^# (?=\w+ = )", "", example(), flags=re.MULTILINE)
    sections, header, receiver = uncommented.partition("# [receivers.ops]\n")
    for text, known in ((sections, options()), (receiver, receiver_options("ops"))):
        assert len(re.findall(r"^\w+ = ", text, flags=re.MULTILINE)) == len(list(known))
    assert load(written(tmp_path, sections), {}) == Settings()
    stdout = receiver.replace('kind = "webhook"', 'kind = "stdout"')
    settings = load(written(tmp_path, header.removeprefix("# ") + stdout), {})
    assert settings == Settings(receivers={"ops": ReceiverSettings(kind="stdout")})


def test_every_option_can_be_given_by_environment() -> None:
    environ = {
        option.variable: "" if option.secret else str(option.default).lower()
        for option in options()
    }
    assert load(None, environ) == Settings()


def test_the_environment_lies_on_top_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, '[web]\nport = 9000\n[source]\norg = "acme"\n[privacy]\nnames = true')
    settings = load(path, {"RINGBACK_WEB__PORT": "0", "RINGBACK_PRIVACY__NUMBERS": "true"})
    assert settings.web.port == 0
    assert settings.source.org == "acme"
    assert settings.privacy.names is True
    assert settings.privacy.numbers is True


def test_the_command_line_lies_on_top_of_both(tmp_path: Path) -> None:
    path = written(tmp_path, "[simulator]\nseed = 2\nspeed = 3.0\nagents = 4\n")
    environ = {"RINGBACK_SIMULATOR__SEED": "5", "RINGBACK_SIMULATOR__SPEED": "6"}
    settings = load(path, environ, {"simulator.seed": 7, "simulator.speed": None})
    assert settings.simulator.seed == 7
    assert settings.simulator.speed == 6.0
    assert settings.simulator.agents == 4


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("seed", -1, "--seed: -1 is not allowed; allowed: a whole number from 0 to 4294967295"),
        ("speed", 1e6, "--speed: 1000000.0 is not allowed; allowed: a number from 0.001 to 10000"),
    ],
)
def test_a_bad_argument_is_refused_by_its_own_name(key: str, value: float, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {}, {f"simulator.{key}": value})
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[webb]\n", "webb", "no such section; did you mean web?"),
        ("[web]\nprot = 1\n", "web.prot", "no such key; did you mean port?"),
        ("[web]\nzzz = 1\n", "web.zzz", "no such key; known: host, port"),
        ("web = 1\n", "web", "write its keys below [web]"),
        ('[web]\nport = "8080"\n', "web.port", "'8080' is not allowed; allowed: a whole number"),
        ("[web]\nport = 65536\n", "web.port", "allowed: a whole number from 0 to 65535"),
        ("[web]\nport = true\n", "web.port", "True is not allowed"),
        ('[store]\nkind = "redis"\n', "store.kind", "allowed: sqlite, jetstream, memory"),
        ("[store]\nkeep_ended_hours = 0\n", "store.keep_ended_hours", "from 1 to 840"),
        ("[store]\nkeep_journal_hours = 9e9\n", "store.keep_journal_hours", "from 1 to 8784"),
        ('[store]\npath = ""\n', "store.path", "names no file"),
        ("[simulator]\nspeed = 10001\n", "simulator.speed", "from 0.001 to 10000"),
        ("[source]\nspeed = nan\n", "source.speed", "nan is not allowed"),
        ("[source]\nspeed = inf\n", "source.speed", "inf is not allowed"),
        ("[source]\nspeed = 0\n", "source.speed", "a number from 0.001"),
        ('[source]\norg = "a b"\n', "source.org", "letters, digits"),
        ('[source]\nkind = "recording"\n', "source.path", "needs the file"),
        ('[source]\nkind = "websocket"\n', "source.url", "ws:// or wss://"),
        ("[source]\nreconnect_first_seconds = 31\n", "source.reconnect_first_seconds", "30.0"),
        ("[source]\nurl = 5\n", "source.url", "not a text"),
        ('[privacy]\nnumbers = "yes"\n', "privacy.numbers", "allowed: true or false"),
        ('[sinks]\nstdout = "loud"\n', "sinks.stdout", "allowed: auto, console, json, off"),
        ('[web]\nhost = "0.0.0.0"\n', "web.host", "can be reached from other machines"),
        ('[web]\nhost = "example.org"\n', "web.host", "give web.tokens, a file of tokens"),
        (f"{OPEN}", "web.host", "tokens would travel in clear"),
        (f'{OPEN}tls_key = "k"\n', "web.tls_certificate", "web.tls_key is given"),
        (f'{OPEN}tls_certificate = "c"\n', "web.tls_key", "web.tls_certificate is given"),
        (f'{OPEN}proxies = "10.0.0.1, nginx"\n', "web.proxies", "'nginx' does not appear"),
        (f'{OPEN}proxies = "10.0.0.1/8"\n', "web.proxies", "has host bits set"),
        (f'{OPEN}proxies = "0.0.0.0/0"\n', "web.proxies", "is everybody"),
        ('[web]\nnames = "ringback.example.org"\n', "web.tokens", "web.names is given"),
        ('[web]\nproxies = "127.0.0.1"\n', "web.tokens", "each of them is an operator"),
        ('[web]\ntokens = "t"\nnames = "a.example:80"\n', "web.names", "is no host name"),
        ("[web]\nsession_hours = 0\n", "web.session_hours", "from 1 to 720"),
    ],
)
def test_refused_with_path_value_and_what_is_allowed(
    tmp_path: Path, text: str, path: str, words: str
) -> None:
    error = refusal(tmp_path, text)
    assert error.path == path
    assert words in error.problem


CLIENT = '[genesys]\nclient_id = "c-1"\nclient_secret = "canary"\n'


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ('[source]\nkind = "genesys"\n', "genesys.client_id", "with the grant type Client Cred"),
        ('[genesys]\nclient_id = "c-1"\n', "genesys.client_secret", "CLIENT_SECRET_FILE names"),
        (CLIENT, "genesys.region", "needs a region, as eu_central_1 or mypurecloud.de; or else"),
        (CLIENT + 'api_url = "https://a.b"\n', "genesys.region", "both genesys.login_url and"),
        (CLIENT.replace("canary", "canary\\n"), "genesys.client_secret", "copy it anew"),
        (CLIENT.replace("c-1", "c 1"), "genesys.client_id", "holds spaces or line ends"),
        (
            CLIENT + 'region = "eu_west_1"\napi_url = "http://example.org"\n',
            "genesys.api_url",
            "http:// to example.org would send the secret in clear",
        ),
        (
            CLIENT + 'region = "eu_west_1"\nlogin_url = "login.example.org"\n',
            "genesys.login_url",
            "is no http:// or https:// address",
        ),
        (
            CLIENT + 'region = "eu_west_1"\nlogin_url = "https://me:canary@example.org"\n',
            "genesys.login_url",
            "without user, query or fragment",
        ),
        (CLIENT + 'region = "x"\napi_url = "https://[canary"\n', "genesys.api_url", "no address"),
        (CLIENT + "most_channels = 21\n", "genesys.most_channels", "from 2 to 20"),
    ],
)
def test_what_genesys_cloud_needs_is_asked_for(
    tmp_path: Path, text: str, path: str, words: str
) -> None:
    error = refusal(tmp_path, text)
    assert error.path == path
    assert words in error.problem
    assert "canary" not in str(error)


def test_three_settings_are_enough_to_mean_genesys_cloud(tmp_path: Path) -> None:
    three = {
        "RINGBACK_GENESYS__REGION": "eu_central_1",
        "RINGBACK_GENESYS__CLIENT_ID": "c-1",
        "RINGBACK_GENESYS__CLIENT_SECRET": "canary",
    }
    settings = load(None, three)
    assert settings.source.kind == "genesys"
    assert settings.genesys.client_secret.reveal() == "canary"
    assert load(None, three | {"RINGBACK_SOURCE__KIND": "simulator"}).source.kind == "simulator"
    path = written(tmp_path, '[source]\nkind = "recording"\npath = "day.jsonl"\n')
    assert load(path, three).source.kind == "recording"
    assert load(None, {"RINGBACK_GENESYS__REGION": "eu_central_1"}).source.kind == "simulator"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:1", "https://a.b/c"])
def test_hosts_may_be_given_instead_of_a_region(tmp_path: Path, url: str) -> None:
    path = written(tmp_path, f'{CLIENT}login_url = "{url}"\napi_url = "{url}"\n')
    assert load(path, {}).genesys.api_url == url


@pytest.mark.parametrize(
    "more", ['tls_certificate = "c"\ntls_key = "k"\n', 'proxies = "10.0.0.1, fd00::/8"\n']
)
def test_with_tokens_and_without_clear_text_any_host_is_allowed(tmp_path: Path, more: str) -> None:
    path = written(tmp_path, f'{OPEN}names = "a.example, B-c.example"\n{more}')
    assert load(path, {}).web.host == "0.0.0.0"  # never bound


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
def test_loopback_hosts_are_allowed(host: str) -> None:
    assert load(None, {"RINGBACK_WEB__HOST": host}).web.host == host


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("RINGBACK_WEB__PORT", "http", "'http' is not allowed; allowed: a whole number"),
        ("RINGBACK_WEB__PROT", "1", "did you mean RINGBACK_WEB__PORT?"),
        ("RINGBACK_WEB_PORT", "1", "did you mean RINGBACK_WEB__PORT?"),
        ("RINGBACK_WEB__PORT_FILE", "/x", "did you mean RINGBACK_WEB__PORT?"),
        ("RINGBACK_SOURCE__SPEED", "nan", "'nan' is not allowed"),
        ("RINGBACK_PRIVACY__HASH_KEY_FILE", "/nowhere/key", "/nowhere/key cannot be read"),
    ],
)
def test_a_bad_variable_is_refused_by_its_own_name(variable: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {variable: value})
    assert caught.value.path == variable
    assert words in caught.value.problem


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    assert len(str(refusal(tmp_path, f'[store]\nkind = "{"x" * 5000}"\n'))) < 200


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml: cannot be read: No such file"):
        load(tmp_path / "absent.toml", {})
    assert "is not TOML" in str(refusal(tmp_path, "[web\n"))
    (tmp_path / "ringback.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not TOML"):
        load(tmp_path / "ringback.toml", {})


def test_a_secret_comes_from_a_file_without_its_last_newline(tmp_path: Path) -> None:
    secret = tmp_path / "hash-key"
    secret.write_text(f"{KEY}\n", encoding="utf-8")
    settings = load(None, {"RINGBACK_PRIVACY__HASH_KEY_FILE": str(secret)})
    assert settings.privacy.hash_key.reveal() == KEY
    with pytest.raises(SettingsError, match="RINGBACK_PRIVACY__HASH_KEY is set too"):
        load(
            None,
            {"RINGBACK_PRIVACY__HASH_KEY_FILE": str(secret), "RINGBACK_PRIVACY__HASH_KEY": KEY},
        )
    secret.write_bytes(b"canary\xff")
    with pytest.raises(SettingsError, match="does not hold UTF-8") as caught:
        load(None, {"RINGBACK_PRIVACY__HASH_KEY_FILE": str(secret)})
    assert caught.value.__cause__ is None


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    settings = load(
        None,
        {
            "RINGBACK_PRIVACY__HASH_KEY": KEY,
            "RINGBACK_SOURCE__KIND": "websocket",
            "RINGBACK_SOURCE__URL": f"wss://host/{KEY}",
        },
    )
    for shown in (repr(settings), str(settings), f"{settings.source.url}"):
        assert KEY not in shown
        assert "***" in shown
    for text in (
        '[privacy]\nhash_key = "canary"\n',
        '[source]\nkind = "websocket"\nurl = "http://canary"\n',
    ):
        assert "canary" not in str(refusal(tmp_path, text))


def test_secrets_compare_by_content_and_are_false_when_empty() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret()
    assert repr(Secret()) == "''"


PAGER = '[receivers.ops]\nkind = "pagerduty"\n'
HOOK = '[receivers.ops]\nkind = "webhook"\nurl = "https://canary.example.org/canary"\n'


def test_receivers_are_tables_by_name_and_variables_lie_on_top(tmp_path: Path) -> None:
    path = written(tmp_path, f'{HOOK}severities = "warning, critical"\n')
    environ = {
        "RINGBACK_RECEIVERS__OPS__MOST_PER_MINUTE": "2",
        "RINGBACK_RECEIVERS__NIGHT__KIND": "pagerduty",
        "RINGBACK_RECEIVERS__NIGHT__SECRET": KEY,
    }
    settings = load(path, environ)
    assert list(settings.receivers) == ["ops", "night"]
    ops, night = settings.receivers.values()
    assert (ops.kind, ops.most_per_minute, ops.severities) == ("webhook", 2, "warning, critical")
    assert (night.kind, night.secret.reveal()) == ("pagerduty", KEY)
    assert KEY not in repr(settings)


def test_a_receivers_secrets_come_from_files_named_in_either_place(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(f"{KEY}\n", encoding="utf-8")
    path = written(tmp_path, f'{PAGER}secret_file = "{secret}"\n')
    assert load(path, {}).receivers["ops"].secret.reveal() == KEY
    variable = {"RINGBACK_RECEIVERS__OPS__SECRET_FILE": str(secret)}
    assert load(written(tmp_path, PAGER), variable).receivers["ops"].secret.reveal() == KEY


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("receivers = 1\n", "receivers", "write each below [receivers.<name>]"),
        ("[receivers]\nkind = 1\n", "receivers.kind", "write its keys below [receivers.kind]"),
        ("[receiver.ops]\n", "receiver", "did you mean receivers?"),
        ('[receivers.ops]\nkind = "smoke"\n', "receivers.ops.kind", "allowed: webhook, alertm"),
        ("[receivers.ops]\n", "receivers.ops.url", "kind webhook needs it"),
        (f'{HOOK}to = "x"\n', "receivers.ops.to", "kind webhook has no use for it"),
        (f'{HOOK}severity = "x"\n', "receivers.ops.severity", "did you mean severities?"),
        (f'{HOOK}severities = "bad"\n', "receivers.ops.severities", "allowed: info, warning"),
        (f"{HOOK}most_per_minute = 0\n", "receivers.ops.most_per_minute", "from 1 to 600"),
        (PAGER, "receivers.ops.secret", "kind pagerduty needs it"),
        (f'{PAGER}secret_file = "/no"\n', "receivers.ops.secret_file", "/no cannot be read"),
        (
            f'{PAGER}secret = "canary"\nsecret_file = "/no"\n',
            "receivers.ops.secret_file",
            "secret is set too",
        ),
        ('[receivers.Ops]\nkind = "stdout"\n', "receivers.Ops", "no name for a receiver"),
        ('[receivers."a.b"]\nkind = "stdout"\n', "receivers.a.b", "no name for a receiver"),
    ],
)
def test_what_a_receiver_needs_is_asked_for(
    tmp_path: Path, text: str, path: str, words: str
) -> None:
    error = refusal(tmp_path, text)
    assert error.path == path
    assert words in error.problem
    assert "canary" not in str(error)


def test_a_variable_about_a_receiver_is_refused_by_its_own_name() -> None:
    variable = "RINGBACK_RECEIVERS__OPS__KINDS"
    with pytest.raises(SettingsError, match="did you mean RINGBACK_RECEIVERS__OPS__KIND") as caught:
        load(None, {variable: "stdout"})
    assert caught.value.path == variable


def test_clean_up_is_for_kinds_of_alerts_that_there_are(tmp_path: Path) -> None:
    assert not load(None, {}).cleanup.enabled
    given = written(tmp_path, '[cleanup]\nenabled = true\nkinds = "too_old, held_too_long"\n')
    assert load(given, {}).cleanup.enabled
    with pytest.raises(SettingsError, match=r"cleanup.kinds: there is no kind 'old'; known: "):
        load(None, {"RINGBACK_CLEANUP__KINDS": "old"})
    with pytest.raises(SettingsError, match=r"cleanup.kinds: names no kind of alert"):
        load(None, {"RINGBACK_CLEANUP__ENABLED": "true", "RINGBACK_CLEANUP__KINDS": ""})
