"""deploy/prometheus and deploy/grafana: valid, and tested by promtool."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import yaml

from .monitoring import DASHBOARDS, DEPLOY, PROMETHEUS, rules_of


def promtool(program: Callable[[str], str], *arguments: str) -> None:
    command = [program("promtool"), *arguments]
    done = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_configuration_and_rules(program: Callable[[str], str]) -> None:
    for name in ("prometheus.yml", "compose.yml"):
        promtool(program, "check", "config", name)


def test_the_rules_do_what_their_unit_tests_say(program: Callable[[str], str]) -> None:
    promtool(program, "test", "rules", "rules_test.yml")


def test_every_alert_has_a_unit_test() -> None:
    tests = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    fired = {
        case["alertname"]
        for test in tests
        for case in test.get("alert_rule_test", [])
        if case.get("exp_alerts")
    }
    assert fired == {rule["alert"] for rule in rules_of("alerts.yml")}


def test_every_recorded_series_has_a_unit_test() -> None:
    tests = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    asked = {case["expr"] for test in tests for case in test.get("promql_expr_test", [])}
    assert asked == {rule["record"] for rule in rules_of("recording.yml")}


def test_dashboards_are_what_grafana_imports() -> None:
    assert {path.stem for path in DASHBOARDS} == {"reasoning", "serving"}
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        assert board["uid"] == f"steiner-{path.stem}"
        variables = {variable["name"] for variable in board["templating"]["list"]}
        for panel in board["panels"]:
            if panel["type"] == "row":
                continue
            assert panel["description"], panel["title"]
            assert panel["datasource"]["uid"] == "${datasource}"
            used = set(re.findall(r"\$\{?([a-z_]+)", json.dumps(panel)))
            assert used <= variables | {"__rate_interval"}, panel["title"]
    for kind in ("datasources", "dashboards"):
        for path in (DEPLOY / "grafana" / "provisioning" / kind).glob("*.yml"):
            assert yaml.safe_load(path.read_text())["apiVersion"] == 1
