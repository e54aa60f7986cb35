"""deploy/compose.yaml: valid, whole, and closed to the network unless somebody opens it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from steiner.server.settings import Settings

from .dockerfile import read_stages
from .monitoring import DEPLOY

FILE = DEPLOY / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVERS = {"cpu": SERVICES["server-cpu"], "gpu": SERVICES["server-gpu"]}
#: A variable with what stands for it where it is not set.
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def by_default(text: str) -> str:
    return VARIABLE.sub(lambda found: found[2] or "", text)


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return SERVICES[request.param]


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    """Source and target of each volume."""
    pairs = (by_default(volume).split(":")[:2] for volume in service.get("volumes", []))
    return [(source, target) for source, target in pairs]


def test_it_keeps_to_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_profile_brings_one_server_and_all_that_stands_around_it() -> None:
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"server-cpu": ["cpu"], "server-gpu": ["gpu"]}
    assert set(SERVICES) - set(profiles) == {
        "certificate", "grafana", "jaeger", "nginx", "otel-collector", "prometheus", "redis",
    }  # fmt: skip
    for target, server in SERVERS.items():
        assert server["build"] == {"context": "..", "dockerfile": "deploy/Dockerfile", "target": target}
        home = read_stages()[target].last_of("VOLUME").value
        assert [volume for _, volume in mounts(server)] == [home]


def test_everything_that_is_named_is_there(service: dict[str, Any]) -> None:
    assert set(service.get("networks", [])) <= set(COMPOSE["networks"])
    for other, condition in service.get("depends_on", {}).items():
        wanted = {"service_healthy": "healthcheck", "service_completed_successfully": "command"}
        assert wanted[condition["condition"]] in SERVICES[other]
    for source, _ in mounts(service):
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


def test_nothing_is_declared_for_nobody() -> None:
    used = {source for service in SERVICES.values() for source, _ in mounts(service)}
    assert set(COMPOSE["volumes"]) <= used
    joined = {network for service in SERVICES.values() for network in service.get("networks", [])}
    assert set(COMPOSE["networks"]) == joined


def test_it_can_do_as_little_as_possible(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    image, _, tag = service["image"].partition(":")
    assert tag
    assert tag != "latest"
    assert "privileged" not in service
    for name in service.get("environment", {}):
        assert not re.search("PASSWORD|SECRET", name), f"{image} has a secret in the file"


def test_nothing_listens_beyond_this_machine_unless_told_to() -> None:
    ports = [by_default(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)
    # The store and the servers are behind networks without a way out.
    assert {name for name, network in COMPOSE["networks"].items() if not network.get("internal")} == {
        "outside"
    }
    assert SERVICES["redis"]["networks"] == ["store"]


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
def test_its_settings_are_the_servers_own(server: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server["environment"].items():
        monkeypatch.setenv(name, by_default(value))
    settings = Settings()
    assert (settings.store, settings.api_keys) == ("redis", [])
    known = {f"STEINER_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in server["environment"] if name.startswith("STEINER_")} <= known
    grace = float(server["stop_grace_period"].removesuffix("s"))
    assert grace > settings.drain_timeout_s
    for endpoint in (str(settings.store_redis_url), str(settings.otlp_traces_endpoint)):
        host = endpoint.split("://")[1].split(":")[0]
        assert set(SERVICES[host]["networks"]) & set(server["networks"])


def test_the_collectors_pipelines_are_made_of_what_it_has() -> None:
    collector = yaml.safe_load((DEPLOY / "otel" / "collector.yaml").read_text())
    for pipeline in collector["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(collector[kind])
    assert set(collector["service"]["extensions"]) <= set(collector["extensions"])
    # It is where the server sends to, and it sends where somebody listens.
    assert collector["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].endswith(":4317")
    backend = collector["exporters"]["otlp"]["endpoint"].split(":-")[1].removesuffix("}").split(":")[0]
    assert set(SERVICES[backend]["networks"]) & set(SERVICES["otel-collector"]["networks"])


def test_programs_read_the_files_that_are_mounted() -> None:
    for service in SERVICES.values():
        targets = [target for _, target in mounts(service)]
        for word in service.get("command", []):
            _, is_file, path = word.partition("--config.file=" if "--config.file=" in word else "--config=")
            if is_file:
                assert any(path.startswith(target) for target in targets)
    served = re.findall(r"ssl_certificate\S*\s+(\S+);", (DEPLOY / "nginx" / "compose.conf").read_text())
    assert served == ["/etc/nginx/tls/steiner.crt", "/etc/nginx/tls/steiner.key"]
    assert "/etc/nginx/tls" in [target for _, target in mounts(SERVICES["nginx"])]
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/steiner.yml").read_text())
    boards = provider["providers"][0]["options"]["path"]
    assert boards in [target for _, target in mounts(SERVICES["grafana"])]
