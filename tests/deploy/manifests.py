"""deploy/kubernetes, built by Kustomize as kubectl has it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from .dockerfile import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("cpu-demo", "single-gpu", "tensor-parallel", "multi-node")
#: An overlay with every component that stands beside those that overlays have.
EVERYTHING = "everything"
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods of one template: where it stands, and what it is."""

    owner: str
    component: str
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def container(self) -> dict[str, Any]:
        """The only one."""
        [container] = self.spec["containers"]
        found: dict[str, Any] = container
        return found

    @property
    def gpus(self) -> int:
        return int(self.container["resources"]["limits"].get("nvidia.com/gpu", 0))


@cache
def build(kubectl: str, overlay: str) -> tuple[Resource, ...]:
    """All resources of an overlay."""
    if overlay != EVERYTHING:
        return _kustomize(kubectl, KUBERNETES / "overlays" / overlay)
    # Kustomize takes relative paths to what lies outside.
    with TemporaryDirectory(dir=KUBERNETES / "overlays", prefix="everything-") as folder:
        names = ("gateway", "keda", "monitoring")
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["../single-gpu"],
            "components": [f"../../components/{name}" for name in names],
        }
        Path(folder, "kustomization.yaml").write_text(yaml.safe_dump(content))
        return _kustomize(kubectl, Path(folder))


def _kustomize(kubectl: str, folder: Path) -> tuple[Resource, ...]:
    done = subprocess.run(
        [kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def pods_of(resources: tuple[Resource, ...]) -> Iterator[Pods]:
    """Of every template."""
    for resource in resources:
        spec = resource.get("spec", {})
        templates = [spec.get("template")]
        if resource["kind"] == "LeaderWorkerSet":
            group = spec["leaderWorkerTemplate"]
            templates = [group["leaderTemplate"], group["workerTemplate"]]
        for template in filter(None, templates):
            labels = template["metadata"]["labels"]
            yield Pods(resource["kind"], labels["app.kubernetes.io/component"], labels, template["spec"])


def named(resources: tuple[Resource, ...], kind: str) -> dict[str, Resource]:
    """Resources of a kind, by name."""
    return {resource["metadata"]["name"]: resource for resource in resources if resource["kind"] == kind}
