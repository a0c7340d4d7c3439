"""What ships for several machines: the parts agree with one another and with the settings."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from ringback import __version__, cli, settings
from ringback.settings import Settings
from ringback.stores.jetstream.permissions import USERS, user_of
from ringback.stores.jetstream.subjects import Subjects
from support.debian import require_debian

DEPLOY = Path(__file__).parents[2] / "deploy"
NATS = DEPLOY / "nats"
COMPOSE = DEPLOY / "cluster" / "compose.yaml"
SECRETS = DEPLOY / "cluster" / "secrets.sh"
MANIFESTS = [DEPLOY / "kubernetes" / name for name in ("nats.yaml", "ringback.yaml")]
KUBERNETES = "1.34"
ROLES = ("listen", "track", "serve", "alert")
LOCAL = Subjects("ringback", "local")

Object = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the secrets, as whoever deploys does."""
    require_debian("openssl", "openssl")
    folder = tmp_path_factory.mktemp("secrets") / "secrets"
    subprocess.run(["sh", SECRETS, folder], check=True, capture_output=True, timeout=60)
    return folder


def composed() -> Object:
    found: Object = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return found


def services(kind: str) -> dict[str, Object]:
    """Give what is composed of the NATS servers, or of Ringback."""
    every = composed()["services"]
    return {name: one for name, one in every.items() if name.startswith("nats") == (kind == "nats")}


def manifests() -> list[Object]:
    return [
        one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


def of_kind(*kinds: str) -> list[Object]:
    return [one for one in manifests() if one["kind"] in kinds]


def workloads() -> list[Object]:
    return of_kind("Deployment", "StatefulSet", "Job")


def name_of(one: Object) -> str:
    return str(one["metadata"]["name"])


# What a daemon is told


class Told(NamedTuple):
    """A process of Ringback as it is started somewhere."""

    where: str
    arguments: list[str]
    environment: Mapping[str, str]
    files: Mapping[str, Path]
    """Files that it is given, by the path at which it finds them."""

    def load(self) -> Settings:
        """Load its settings, as it does; files are where the test has them."""
        here = dict(self.environment)
        for name, value in here.items():
            if value.startswith("/run/secrets/"):
                assert value in self.files, f"{self.where}: nothing is at {value}"
                here[name] = str(self.files[value])
        return settings.load(None, here)


def from_compose(made: Path) -> Iterator[Told]:
    files = composed()["secrets"]
    for name, service in services("ringback").items():
        given = {
            f"/run/secrets/{secret}": made / files[secret]["file"].removeprefix("./secrets/")
            for secret in service.get("secrets", ())
        }
        yield Told(name, service["command"], service.get("environment", {}), given)


KEPT = {
    "ringback-web": {"tokens": "tokens", "tls.crt": "ringback.crt", "tls.key": "ringback.key"},
    "ringback-nats": {"authority": "authority.crt"}
    | {user: f"nats-{user}" for user in (*ROLES, "setup")},
    "ringback-session": {"session-key": "session-key"},
    "ringback-genesys": {"client-secret": "operator-token"},
}
"""What the secrets of the manifests are made from, as their first lines say."""


def from_kubernetes(made: Path) -> Iterator[Told]:
    shared = {name_of(one): one["data"] for one in of_kind("ConfigMap")}
    for one in workloads():
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        if container["name"] != "ringback":
            continue
        volumes = {each["name"]: each for each in pod["volumes"]}
        given = {}
        for mount in container["volumeMounts"]:
            secret = volumes.get(mount["name"], {}).get("secret")
            if secret is not None:
                kept = KEPT[secret["secretName"]]
                shown = secret.get("items") or [{"key": key, "path": key} for key in kept]
                for item in shown:
                    given[f"{mount['mountPath']}/{item['path']}"] = made / kept[item["key"]]
        environment: dict[str, str] = {}
        for each in container["envFrom"]:
            environment |= shared[each["configMapRef"]["name"]]
        environment |= {each["name"]: each.get("value", "name-0") for each in container["env"]}
        yield Told(name_of(one), container["args"], environment, given)


PLACES = {"compose": from_compose, "kubernetes": from_kubernetes}


@pytest.mark.parametrize("place", PLACES)
def test_every_process_loads_its_settings_and_is_the_user_of_its_role(
    place: str, made: Path
) -> None:
    processes = [one for one in PLACES[place](made) if one.arguments[0] != "simulate"]
    roles = []
    for one in processes:
        loaded = one.load()
        assert loaded.store.kind == "jetstream"
        role = "setup" if one.arguments == ["migrate"] else one.arguments[-1]
        if role != "setup":
            assert one.arguments == ["run", "--role", role]
            assert loaded.web.tokens
            assert loaded.web.tls_certificate
            assert loaded.jetstream.member
            assert bool(loaded.web.session_key) == (role == "serve")
        roles.append(role)
        assert role in USERS
        assert loaded.jetstream.user == user_of(LOCAL, role)
        word = (made / f"nats-{role}").read_text(encoding="utf-8").strip()
        assert loaded.jetstream.password.reveal() == word
        passwords = (made / "nats" / "local.passwords.conf").read_text(encoding="utf-8")
        assert f'PASSWORD_{role.upper()}: "{word}"' in passwords
    copies = 2 if place == "compose" else 1
    assert sorted(roles) == sorted([*ROLES * copies, "setup"])


@pytest.mark.parametrize("place", PLACES)
def test_no_process_is_given_a_secret_that_it_does_not_use(place: str, made: Path) -> None:
    for one in PLACES[place](made):
        used = {value for value in one.environment.values() if value in one.files}
        if one.arguments == ["migrate"] and place == "kubernetes":
            assert one.files.keys() - used == set()
        else:
            assert one.files.keys() == used, one.where


@pytest.mark.parametrize("place", PLACES)
def test_only_those_that_listen_know_the_source(place: str, made: Path) -> None:
    for one in PLACES[place](made):
        source = [name for name in one.environment if name.startswith("RINGBACK_GENESYS__")]
        url = "RINGBACK_SOURCE__URL" in one.environment
        listens = one.arguments == ["run", "--role", "listen"]
        assert (bool(source) or url) == listens, one.where


# The servers


def hosts() -> list[str]:
    text = (NATS / "routes.conf.example").read_text(encoding="utf-8")
    return re.findall(r"@([\w.-]+):6222", text)


@pytest.mark.parametrize("place", PLACES)
def test_servers_have_one_name_wherever_they_are_named(place: str, made: Path) -> None:
    assert len(hosts()) == 3
    for one in PLACES[place](made):
        if one.arguments[0] != "simulate":
            found = one.load().jetstream
            assert found.servers.split(",") == [f"tls://{host}:4222" for host in hosts()]
    aliases = [one["networks"]["nats"]["aliases"] for one in services("nats").values()]
    assert [name for (name,) in aliases] == hosts()
    (stateful,) = [one for one in of_kind("StatefulSet") if name_of(one) == "nats"]
    spec = stateful["spec"]
    assert hosts() == [f"nats-{index}.{spec['serviceName']}" for index in range(spec["replicas"])]
    certificate = made / "nats" / "tls.crt"
    openssl = require_debian("openssl", "openssl")
    for host in hosts():
        done = subprocess.run(
            [openssl, "x509", "-in", certificate, "-noout", "-checkhost", host],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert "does match" in done.stdout
    routes = (made / "nats" / "routes.conf").read_text(encoding="utf-8")
    assert re.findall(r"@([\w.-]+):6222", routes) == hosts()


def test_ports_are_those_of_the_servers_file() -> None:
    text = (NATS / "nats.conf").read_text(encoding="utf-8")
    client, route = re.findall(r"^\s*port: (\d+)$", text, re.MULTILINE)
    (monitor,) = re.findall(r"^http_port: (\d+)$", text, re.MULTILINE)
    told = {"client": int(client), "route": int(route), "monitor": int(monitor)}
    (service,) = [one for one in of_kind("Service") if name_of(one) == "nats"]
    assert {each["name"]: each["port"] for each in service["spec"]["ports"]} == told
    (stateful,) = [one for one in of_kind("StatefulSet") if name_of(one) == "nats"]
    (container,) = stateful["spec"]["template"]["spec"]["containers"]
    assert {each["name"]: each["containerPort"] for each in container["ports"]} == told


def test_every_file_that_the_servers_include_is_mounted() -> None:
    wanted = {"nats.conf"}
    for name in ("nats.conf", "accounts.conf"):
        text = (NATS / name).read_text(encoding="utf-8")
        wanted |= set(re.findall(r'include "([^"]+)"', text))
        wanted |= set(re.findall(r'"/etc/nats/([^"]+)"', text))
    account = (NATS / "accounts" / "local.conf").read_text(encoding="utf-8")
    wanted |= {one.removeprefix("../") for one in re.findall(r'include "([^"]+)"', account)}
    (stateful,) = [one for one in of_kind("StatefulSet") if name_of(one) == "nats"]
    (files,) = stateful["spec"]["template"]["spec"]["volumes"]
    found = set()
    for source in files["projected"]["sources"]:
        (kind,) = source
        items = source[kind].get("items")
        found |= {item["path"] for item in items} if items else {"nats.conf", "durable.conf"}
        if not items:
            found.add("accounts.conf")
    assert found == wanted
    for one in services("nats").values():
        assert one["volumes"][:2] == [
            "../nats:/etc/nats:ro",
            "./secrets/nats:/etc/nats/secrets:ro",
        ]


def test_servers_are_given_the_time_that_they_take_to_send_clients_away() -> None:
    text = (NATS / "nats.conf").read_text(encoding="utf-8")
    needed = sum(map(int, re.findall(r'^lame_duck_\w+: "(\d+)s"', text, re.MULTILINE)))
    assert needed > 30
    (stateful,) = [one for one in of_kind("StatefulSet") if name_of(one) == "nats"]
    assert stateful["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > needed
    for one in services("nats").values():
        assert int(one["stop_grace_period"].removesuffix("s")) > needed


# Containers


def test_every_composed_container_is_hardened_and_given_time_to_stop() -> None:
    budgets = Settings().shutdown
    longest = budgets.intake_seconds + budgets.drain_seconds + budgets.close_seconds
    for name, one in composed()["services"].items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one["mem_limit"]
        assert one["pids_limit"]
        assert int(one["stop_grace_period"].removesuffix("s")) > longest
        assert ("networks" in one) != ("network_mode" in one), name
        if name.startswith("nats"):
            assert re.search(r":\d+\.\d+\.\d+-alpine$", one["image"])
        for port in one.get("ports", ()):
            assert port.startswith("127.0.0.1:")


def test_composed_health_is_asked_where_the_process_serves(made: Path) -> None:
    for one in from_compose(made):
        if one.arguments[0] == "run":
            port = one.load().web.port
            health = services("ringback")[one.where]["healthcheck"]["test"]
            assert f"https://127.0.0.1:{port}/livez" in health[-1]


def test_listeners_share_the_loopback_of_what_they_hear() -> None:
    found = services("ringback")
    listeners = {name: one for name, one in found.items() if name.startswith("listen")}
    port = found["centre"]["command"][2]
    assert {one["network_mode"] for one in listeners.values()} == {"service:centre"}
    for one in listeners.values():
        assert one["environment"]["RINGBACK_SOURCE__URL"] == f"ws://127.0.0.1:{port}/stream"
    ports = [one["environment"]["RINGBACK_WEB__PORT"] for one in listeners.values()]
    assert len({port, *ports}) == len(ports) + 1


# Kubernetes


@pytest.mark.parametrize("one", manifests(), ids=lambda one: f"{one['kind']}-{name_of(one)}")
def test_kubernetes_knows_every_field(one: Object) -> None:
    assert kubernetes_validate.validate(one, KUBERNETES, strict=True) == KUBERNETES


@pytest.mark.parametrize("one", workloads(), ids=name_of)
def test_every_pod_is_hardened_and_finds_what_it_names(one: Object) -> None:
    pod = one["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    volumes = {each["name"] for each in pod["volumes"]}
    volumes |= {name_of(each) for each in one["spec"].get("volumeClaimTemplates", ())}
    assert {each["name"] for each in container["volumeMounts"]} == volumes
    ports = {each["name"] for each in container.get("ports", ())}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert one["kind"] == "Job" or container[probe]["httpGet"]["port"] in ports


@pytest.mark.parametrize(
    "one", [each for each in workloads() if each["kind"] != "Job"], ids=name_of
)
def test_every_workload_survives_a_node_and_its_maintenance(one: Object) -> None:
    labels = one["spec"]["template"]["metadata"]["labels"]
    assert one["spec"]["selector"]["matchLabels"] == labels
    assert one["spec"]["replicas"] >= 2
    affinity = one["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    (apart,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    assert apart["topologyKey"] == "kubernetes.io/hostname"
    assert apart["labelSelector"]["matchLabels"] == labels
    budgets = [
        each
        for each in of_kind("PodDisruptionBudget")
        if each["spec"]["selector"]["matchLabels"] == labels
    ]
    assert [each["spec"]["maxUnavailable"] for each in budgets] == [1]


def test_pods_run_this_version_of_ringback_and_composed_ones_what_is_built() -> None:
    images = {
        container["image"]
        for one in workloads()
        for container in one["spec"]["template"]["spec"]["containers"]
        if container["name"] == "ringback"
    }
    assert images == {f"ringback:{__version__}"}
    servers = {one["image"] for one in services("nats").values()}
    (stateful,) = [one for one in of_kind("StatefulSet") if name_of(one) == "nats"]
    (container,) = stateful["spec"]["template"]["spec"]["containers"]
    assert servers == {container["image"]}
    version = tuple(map(int, re.findall(r":(\d+)\.(\d+)\.(\d+)-", container["image"])[0]))
    assert version >= (2, 12, 15)


def test_ringbacks_pods_are_asked_for_their_health_and_given_time_to_stop() -> None:
    budgets = Settings().shutdown
    longest = budgets.intake_seconds + budgets.drain_seconds + budgets.close_seconds
    found = [one for one in workloads() if one["kind"] != "Job" and name_of(one) != "nats"]
    assert len(found) == len(ROLES)
    for one in found:
        pod = one["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > longest
        (container,) = pod["containers"]
        asked = {
            probe: container[f"{probe}Probe"]["httpGet"]["path"]
            for probe in ("startup", "liveness", "readiness")
        }
        assert asked == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}


def selected(selector: Mapping[str, str]) -> list[str]:
    return [
        name_of(one)
        for one in workloads()
        if selector.items() <= one["spec"]["template"]["metadata"]["labels"].items()
    ]


def test_services_and_policies_select_somebody() -> None:
    for one in of_kind("Service"):
        assert selected(one["spec"]["selector"]), name_of(one)
    for one in of_kind("NetworkPolicy"):
        assert selected(one["spec"]["podSelector"]["matchLabels"]), name_of(one)
    (shown,) = [one for one in of_kind("Service") if name_of(one) == "ringback"]
    assert selected(shown["spec"]["selector"]) == ["ringback-serve"]


def test_nobody_reaches_the_servers_but_ringback_and_they_one_another() -> None:
    (policy,) = [one for one in of_kind("NetworkPolicy") if name_of(one) == "nats"]
    reached: dict[int, list[str]] = {}
    for rule in policy["spec"]["ingress"]:
        who = [peer["podSelector"]["matchLabels"] for peer in rule["from"]]
        peers = [name for labels in who for name in selected(labels)]
        reached |= {port["port"]: sorted(peers) for port in rule["ports"]}
    ours = sorted(["ringback-setup", *(f"ringback-{role}" for role in ROLES)])
    assert reached == {4222: ours, 8222: ours, 6222: ["nats"]}


# Who watches


def test_prometheus_finds_every_process(made: Path, tmp_path: Path) -> None:
    promtool = require_debian("prometheus", "promtool")
    shipped = DEPLOY / "prometheus" / "several.yml"
    found = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    (job,) = found["scrape_configs"]
    assert job["job_name"] == "ringback"
    (discovery,) = job["dns_sd_configs"]
    (members,) = [one for one in of_kind("Service") if name_of(one) == "ringback-members"]
    assert discovery["names"] == [name_of(members)]
    assert [port["port"] for port in members["spec"]["ports"]] == [discovery["port"]]
    assert set(selected(members["spec"]["selector"])) >= {f"ringback-{role}" for role in ROLES}
    openssl = require_debian("openssl", "openssl")
    done = subprocess.run(
        [
            openssl,
            "x509",
            "-in",
            made / "ringback.crt",
            "-noout",
            "-checkhost",
            job["tls_config"]["server_name"],
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "does match" in done.stdout
    # As it stands, but for where files are.
    text = shipped.read_text(encoding="utf-8")
    for name in ("ringback-authority", "ringback-token"):
        text = text.replace(f"/etc/prometheus/{name}", str(made / "authority.crt"))
    config = tmp_path / "several.yml"
    config.write_text(text, encoding="utf-8")
    rules = DEPLOY / "prometheus" / "ringback.rules.yml"
    (tmp_path / "ringback.rules.yml").write_bytes(rules.read_bytes())
    checked = subprocess.run(
        [promtool, "check", "config", config],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


# What is written


def commands() -> list[list[str]]:
    """Give the commands of Ringback that the pages show."""
    root = DEPLOY.parent
    found = []
    for page in (root / "README.md", root / "docs" / "scaling.md"):
        for line in re.findall(r"^    (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            if match := re.match(r"(?:[A-Z_]+=\S+ )*(?:\S*/)?ringback (\w+)(.*)", line):
                words = match[2].split("#")[0].split(">")[0].split()
                found.append([match[1], *words])
    return found


def test_every_command_that_is_written_is_one_with_options_that_it_has() -> None:
    found = commands()
    assert {"account", "migrate", "status", "run"} <= {words[0] for words in found}
    for name, *words in found:
        known = {each for one in cli.ringback.commands[name].params for each in one.opts}
        assert {word for word in words if word.startswith("--")} <= known, (name, words)
        for index, word in enumerate(words):
            if word == "--role":
                assert set(words[index + 1].split(",")) <= set(ROLES)
