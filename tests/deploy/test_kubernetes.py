"""deploy/kubernetes: every overlay is valid, hangs together, and runs the server as it wants to be run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from steiner.cli.serve_flags import settings_from
from steiner.server.app import create_app
from steiner.server.model.service import Service
from steiner.server.settings import Settings

from .custom_resources import CUSTOM_RESOURCES
from .dockerfile import read_stages
from .manifests import EVERYTHING, OVERLAYS, Pods, Resource, build, named, pods_of

#: The oldest that is meant to work, and the newest whose schema there is.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
#: What the controller of LeaderWorkerSets adds to every pod.
GROUP = {"LWS_GROUP_SIZE": "2", "LWS_WORKER_INDEX": "", "LWS_LEADER_ADDRESS": "steiner-0.steiner"}
SECONDS_TO_CLOSE = 10


@pytest.fixture(params=(*OVERLAYS, EVERYTHING))
def resources(request: pytest.FixtureRequest, program: Callable[[str], str]) -> tuple[Resource, ...]:
    return build(program("kubectl"), request.param)


def servers(resources: tuple[Resource, ...]) -> list[Pods]:
    """Those that serve, and those that compute for them."""
    return [pods for pods in pods_of(resources) if pods.component != "redis"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_has_its_kinds_schema(resources: tuple[Resource, ...], version: str) -> None:
    for resource in resources:
        if (kind := resource["kind"]) in CUSTOM_RESOURCES:
            CUSTOM_RESOURCES[kind].model_validate(resource)
        else:
            kubernetes_validate.validate(resource, version, strict=True)
        if kind == "LeaderWorkerSet":
            group = resource["spec"]["leaderWorkerTemplate"]
            for name in ("leaderTemplate", "workerTemplate"):
                template = {"apiVersion": "v1", "kind": "PodTemplate", "template": group[name]}
                kubernetes_validate.validate(template, version, strict=True)


def test_a_misspelled_field_is_seen(program: Callable[[str], str]) -> None:
    [deployment] = named(build(program("kubectl"), "cpu-demo"), "Deployment").values()
    broken = deployment | {"spec": deployment["spec"] | {"replicaz": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replicaz"):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


def test_what_pods_name_is_there(resources: tuple[Resource, ...]) -> None:
    names = {kind: set(named(resources, kind)) for kind in {resource["kind"] for resource in resources}}
    for pods in pods_of(resources):
        volumes = {volume["name"]: volume for volume in pods.spec.get("volumes", [])}
        for volume in volumes.values():
            if "configMap" in volume:
                assert volume["configMap"]["name"] in names["ConfigMap"]
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in names["PersistentVolumeClaim"]
        if pods.owner == "StatefulSet":
            [redis] = named(resources, "StatefulSet").values()
            volumes |= {claim["metadata"]["name"]: claim for claim in redis["spec"]["volumeClaimTemplates"]}
        mounted = {mount["name"] for mount in pods.container["volumeMounts"]}
        assert mounted == set(volumes)
        if account := pods.spec.get("serviceAccountName"):
            assert account in names["ServiceAccount"]
        # Secrets are nobody's but the operator's.
        assert all(source["secretRef"]["optional"] for source in pods.container.get("envFrom", []))
    assert "Secret" not in names


def test_selectors_find_pods(resources: tuple[Resource, ...]) -> None:
    templates = list(pods_of(resources))

    def found(labels: dict[str, str]) -> list[Pods]:
        return [pods for pods in templates if labels.items() <= pods.labels.items()]

    for service in named(resources, "Service").values():
        [pods] = found(service["spec"]["selector"])
        ports = {port["name"] for port in pods.container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    [budget] = named(resources, "PodDisruptionBudget").values()
    assert [pods.component for pods in found(budget["spec"]["selector"]["matchLabels"])] == ["server"]
    guarded = [
        pods.component
        for policy in named(resources, "NetworkPolicy").values()
        for pods in found(policy["spec"]["podSelector"]["matchLabels"])
    ]
    # No pod is open to the whole cluster.
    assert {pods.component for pods in templates} <= set(guarded)
    for monitor in named(resources, "PodMonitor").values():
        [pods] = found(monitor["spec"]["selector"]["matchLabels"])
        assert pods.labels[monitor["spec"]["jobLabel"]] == "steiner"


def test_pods_have_no_rights_that_they_do_not_need(resources: tuple[Resource, ...]) -> None:
    for pods in pods_of(resources):
        assert pods.spec["automountServiceAccountToken"] is False
        assert pods.spec["securityContext"]["runAsNonRoot"] is True
        assert pods.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pods.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= set(pods.container["resources"]["requests"])
        assert "memory" in pods.container["resources"]["limits"]
    for pods in servers(resources):
        tag = pods.container["image"].removeprefix("steiner:")
        image = read_stages()[tag]
        context = pods.spec["securityContext"]
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == image.last_of("USER").value
        # All that the image writes to.
        mounts = {mount["mountPath"] for mount in pods.container["volumeMounts"]}
        assert {image.last_of("VOLUME").value, "/tmp", "/dev/shm"} <= mounts
        assert (tag == "gpu") == (pods.gpus > 0)


def settings_of(pods: Pods, resources: tuple[Resource, ...], folder: Path) -> Settings:
    """As the server in these pods reads them: the mounted file and the flags, with the group's variables."""
    [content] = [
        config["data"]["steiner.yaml"]
        for name, config in named(resources, "ConfigMap").items()
        if name.startswith("steiner-settings-")
    ]
    file = folder / "steiner.yaml"
    file.write_text(content)
    flags = [flag.replace("/etc/steiner/steiner.yaml", str(file)) for flag in pods.container["args"]]
    for name, value in GROUP.items():
        index = "0" if pods.component == "server" else "1"
        flags = [flag.replace(f"$({name})", value or index) for flag in flags]
    assert not [flag for flag in flags if "$(" in flag]
    return settings_from(flags)


def test_the_server_gets_the_time_it_needs(resources: tuple[Resource, ...], tmp_path: Path) -> None:
    for pods in servers(resources):
        settings = settings_of(pods, resources, tmp_path)
        before = int(pods.container["lifecycle"]["preStop"]["exec"]["command"][1])
        grace = pods.spec["terminationGracePeriodSeconds"]
        if pods.component == "follower":
            # It goes on while its leader drains.
            assert settings.drain_timeout_s + SECONDS_TO_CLOSE <= before < grace
            continue
        assert before + settings.drain_timeout_s + SECONDS_TO_CLOSE <= grace
        # What was accepted may always finish.
        assert settings.drain_timeout_s >= settings.generation_timeout_s
        startup = pods.container["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 1800
        probes = ("startupProbe", "livenessProbe", "readinessProbe")
        paths = [pods.container[probe]["httpGet"]["path"] for probe in probes]
        # Alive is less than ready: a server that drains is not to be killed.
        assert paths == ["/ready", "/health", "/ready"]


def test_ranks_are_as_many_as_gpus_and_have_memory_to_share(
    resources: tuple[Resource, ...], tmp_path: Path
) -> None:
    members = servers(resources)
    settings = [settings_of(pods, resources, tmp_path) for pods in members]
    for pods, own in zip(members, settings, strict=True):
        ranks = own.tensor_parallel_size * own.pipeline_parallel_size // own.nnodes
        assert pods.gpus in (0, ranks)
        [shared] = [volume for volume in pods.spec["volumes"] if volume["name"] == "shared-memory"]
        assert shared["emptyDir"]["medium"] == "Memory"
        assert int(shared["emptyDir"]["sizeLimit"].removesuffix("Gi")) >= (16 if ranks > 1 else 1)
    if len(settings) == 2:
        leader, follower = settings
        assert (leader.nnodes, leader.headless, follower.headless) == (2, False, True)
        same = {"node_rank": 0, "headless": False}
        assert follower.model_dump() | same == leader.model_dump()


def routed(rule: dict[str, Any], path: str) -> bool:
    matches = [match["path"] for match in rule["matches"]]
    return any(
        path == match["value"]
        or (match["type"] == "PathPrefix" and path.startswith(match["value"].rstrip("/") + "/"))
        for match in matches
    )


def test_the_route_leads_to_what_clients_use_and_nothing_else(program: Callable[[str], str]) -> None:
    resources = build(program("kubectl"), EVERYTHING)
    [route] = named(resources, "HTTPRoute").values()
    [rule] = route["spec"]["rules"]
    [backend] = rule["backendRefs"]
    service = named(resources, "Service")[backend["name"]]
    assert backend["port"] in [port["port"] for port in service["spec"]["ports"]]
    app = create_app(Service(Settings(store="memory"), CollectorRegistry()))
    paths = {route.path for route in app.routes if isinstance(route, APIRoute)}
    # Probes and metrics are for the inside.
    assert {path for path in paths if not routed(rule, path)} == {"/health", "/metrics", "/ready"}
    assert routed(rule, "/openapi.json")


def test_what_is_scaled_is_there_and_leaves_its_number_to_the_scaler(program: Callable[[str], str]) -> None:
    resources = build(program("kubectl"), EVERYTHING)
    [scaled] = named(resources, "ScaledObject").values()
    target = named(resources, "Deployment")[scaled["spec"]["scaleTargetRef"]["name"]]
    assert "replicas" not in target["spec"]
    assert scaled["spec"]["minReplicaCount"] <= scaled["spec"]["maxReplicaCount"]
    down = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    # One leaves at a time: the next one when it has drained.
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 600}]
