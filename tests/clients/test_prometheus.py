"""deploy/prometheus and deploy/grafana: valid, tested by promtool, and about metrics that a real server has."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from steiner.local_server import LocalServer, free_port

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
#: A word that names a series: ours, vLLM's, a recorded one, or of Prometheus and its Python client themselves.
NAME = re.compile(r"\b(?:steiner_|vllm:|process_|job:|job_kind:)[a-z0-9_:]+\b|\bup\b")
SELECTOR = re.compile(rf"({NAME.pattern})\{{([^}}]*)\}}")
GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
#: Added by Prometheus to everything it scrapes.
OF_A_TARGET = {"job", "instance"}
#: Read through a histogram's series.
SUFFIXES = ("_bucket", "_count", "_sum")

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


def expressions() -> list[tuple[str, str]]:
    rules = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules_of("alerts.yml")]
    recorded = [(rule["record"], rule["expr"]) for rule in rules_of("recording.yml")]
    return rules + recorded + panels()


def promtool(program: Callable[[str], str], *arguments: str) -> None:
    command = [program("promtool"), *arguments]
    done = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_configuration_and_rules(program: Callable[[str], str]) -> None:
    promtool(program, "check", "config", "prometheus.yml")


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


@pytest.mark.e2e
@pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)
class TestScraped:
    """A real Prometheus beside a real server."""

    @pytest.fixture(scope="class")
    def prometheus(
        self, server: Any, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[str]:
        """Address of a Prometheus with the shipped configuration, which has scraped what `exercise` did."""
        folder = tmp_path_factory.mktemp("prometheus")
        for name in ("recording.yml", "alerts.yml"):
            (folder / name).write_text((PROMETHEUS / name).read_text())
        shipped = (PROMETHEUS / "prometheus.yml").read_text()
        config = shipped.replace("steiner:8000", server.url.removeprefix("http://")).replace("15s", "1s")
        (folder / "prometheus.yml").write_text(config)
        exercise(server)
        port = free_port()
        command = [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        with LocalServer(command, port, ready_path="/-/ready") as running:
            running.wait_until_ready()
            wait_for_samples(running.url, 2)
            # Rates need an increase between two scrapes.
            exercise(server)
            wait_for_samples(running.url, 3, 'steiner_generations_total{outcome="done"} > 1')
            yield running.url

    def test_it_finds_the_server_and_loads_the_rules(self, prometheus: str) -> None:
        [target] = httpx.get(f"{prometheus}/api/v1/targets").json()["data"]["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        groups = httpx.get(f"{prometheus}/api/v1/rules").json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len(rules) == len(rules_of("alerts.yml")) + len(rules_of("recording.yml"))
        assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]

    def test_every_expression_is_about_what_the_server_exposes(self, server: Any, prometheus: str) -> None:
        labels = labels_by_name(httpx.get(f"{server.url}/metrics").text)
        labels |= {"up": set()} | {rule["record"]: {"kind"} for rule in rules_of("recording.yml")}
        for title, expression in expressions():
            names = set(NAME.findall(expression))
            assert names, title
            assert names <= labels.keys(), (title, names - labels.keys())
            for name, matchers in SELECTOR.findall(expression):
                given = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers))
                assert given <= labels[name] | OF_A_TARGET, (title, name)
            grouped = {
                label.strip() for group in GROUPING.findall(expression) for label in group.split(",") if label
            }
            known = set().union(*(labels[name] for name in names)) | OF_A_TARGET
            assert grouped <= known, (title, grouped - known)

    def test_every_panel_shows_something(self, prometheus: str) -> None:
        empty = [title for title, expression in panels() if not ask(prometheus, filled_in(expression))]
        assert not empty

    def test_no_alert_is_wrong_about_a_server_that_does_well(self, prometheus: str) -> None:
        for rule in rules_of("alerts.yml"):
            ask(prometheus, rule["expr"])
        assert httpx.get(f"{prometheus}/api/v1/alerts").json()["data"]["alerts"] == []


def exercise(server: Any) -> None:
    """One of each: steps, backtracks, a cut, a schema, a refusal, a removed stream."""
    question = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}], "temperature": 0}
    schema = {"name": "found", "schema": {"type": "boolean"}}
    bodies: list[dict[str, Any]] = [
        {},
        {"reasoning": {"max_reasoning_tokens": 40}},
        {"response_format": {"type": "json_schema", "json_schema": schema}, "reasoning": {"max_steps": 1}},
    ]
    for body in bodies:
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=question | body, timeout=300)
        assert answer.status_code == 200, answer.text
    refused = httpx.post(f"{server.url}/v1/chat/completions", json={"messages": []})
    assert refused.status_code == 400


def ask(prometheus: str, expression: str) -> list[dict[str, Any]]:
    """Result of an instant query, which must not be an error."""
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": expression}, timeout=30).json()
    assert answer["status"] == "success", (expression, answer)
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def wait_for_samples(prometheus: str, number: int, condition: str = "up == 1") -> None:
    """Until the server was scraped this often, and something holds."""
    deadline = time.monotonic() + 60
    counted = f'count_over_time(up{{job="steiner"}}[5m]) >= {number}'
    while not (ask(prometheus, counted) and ask(prometheus, condition)):
        assert time.monotonic() < deadline, f"Prometheus did not see {condition}"
        time.sleep(0.1)


def filled_in(expression: str) -> str:
    """A panel's expression with values for Grafana's variables."""
    values = {"$job": "steiner", "$instance": ".*", "$__rate_interval": "1m"}
    for variable, value in values.items():
        expression = expression.replace(variable, value)
    return expression


def labels_by_name(page: str) -> dict[str, set[str]]:
    """Label names of every series on a page of metrics; also of those that are declared and have none yet."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        names = {f"{family.name}_total"} if family.type == "counter" else {family.name}
        for name in names:
            found.setdefault(name, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found
