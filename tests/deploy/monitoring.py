"""The files of deploy/prometheus and deploy/grafana, and every expression in them and in what scales by metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
Rules = list[dict[str, Any]]


def rules_of(name: str) -> Rules:
    groups = yaml.safe_load((PROMETHEUS / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[tuple[str, str]]:
    """Title and expression of every query of every dashboard."""
    return [
        (f"{path.stem}: {panel['title']}", target["expr"])
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", [])
    ]


def scalers() -> list[tuple[str, str]]:
    """Name and query of every trigger."""
    scaled = yaml.safe_load((DEPLOY / "kubernetes/components/keda/scaled-object.yaml").read_text())
    return [(trigger["name"], trigger["metadata"]["query"]) for trigger in scaled["spec"]["triggers"]]


def expressions() -> list[tuple[str, str]]:
    rules = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules_of("alerts.yml")]
    recorded = [(rule["record"], rule["expr"]) for rule in rules_of("recording.yml")]
    return rules + recorded + panels() + scalers()
