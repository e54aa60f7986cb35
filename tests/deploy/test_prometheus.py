"""A real Prometheus beside a real server: every expression of ours is about metrics that are there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from steiner.cli.local_server import LocalServer, free_port

from .monitoring import PROMETHEUS, expressions, panels, rules_of

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("server", ["steiner-tiny"], indirect=True)]

#: A word that names a series: ours, vLLM's, a recorded one, or of Prometheus and its Python client themselves.
NAME = re.compile(r"\b(?:steiner_|vllm:|process_|job:|job_kind:)[a-z0-9_:]+\b|\bup\b")
SELECTOR = re.compile(rf"({NAME.pattern})\{{([^}}]*)\}}")
GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
#: Added by Prometheus to everything it scrapes.
OF_A_TARGET = {"job", "instance"}
#: Read through a histogram's series.
SUFFIXES = ("_bucket", "_count", "_sum")


@pytest.fixture(scope="module")
def prometheus(
    server: Any, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
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
        wait_for_samples(running.url, 3, "job_kind:steiner_interventions_per_generation:ratio_rate5m > 0")
        yield running.url


def test_it_finds_the_server_and_loads_the_rules(prometheus: str) -> None:
    [target] = httpx.get(f"{prometheus}/api/v1/targets").json()["data"]["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    groups = httpx.get(f"{prometheus}/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == len(rules_of("alerts.yml")) + len(rules_of("recording.yml"))
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]


def test_every_expression_is_about_what_the_server_exposes(server: Any, prometheus: str) -> None:
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


def test_every_panel_shows_something(prometheus: str) -> None:
    empty = [title for title, expression in panels() if not ask(prometheus, filled_in(expression))]
    assert not empty


def exercise(server: Any) -> None:
    """One of each: steps, backtracks, a cut, a schema, a refusal."""
    question = {"messages": [{"role": "user", "content": "make 22 from 15 4 11"}], "temperature": 0}
    found = {"type": "object", "properties": {"found": {"type": "boolean"}}, "required": ["found"]}
    schema = {"name": "found", "schema": found | {"additionalProperties": False}}
    bodies: list[dict[str, Any]] = [
        {},
        {"reasoning": {"max_reasoning_tokens": 40}},
        {
            "response_format": {"type": "json_schema", "json_schema": schema},
            "reasoning": {"max_steps": 4, "max_section_tokens": 20},
            "max_completion_tokens": 700,
        },
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
