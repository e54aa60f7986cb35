"""The OpenAPI document: what it promises is kept, also for input that nobody would think of."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from prometheus_client import CollectorRegistry
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from steiner.server.app import create_app
from steiner.server.model.service import Service
from steiner.server.settings import Settings

schema = schemathesis.openapi.from_dict(create_app(Service(Settings(), CollectorRegistry())).openapi())
KEY = "sk-steiner-of-a-test"
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def served(stage: Any, serve: Any) -> Any:
    return serve(stage.engine(stage.one_step, per_update=100), api_key=[KEY])


@pytest.fixture(scope="module")
def document(served: Any) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{served.url}/openapi.json", timeout=60).json()
    return found


@schema.parametrize()
@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_a_documented_one(case: Any, served: Any) -> None:
    # What fits the schema may still be refused: limits that contradict each other, a name that is not served.
    # What does not fit may be read: 1 for true and "5" for 5, as vLLM's server does.
    response = case.call_and_validate(
        base_url=served.url,
        headers=BEARER,
        timeout=20,
        excluded_checks=[positive_data_acceptance, negative_data_rejection],
    )
    assert response.status_code < 500


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert "422" not in operation["responses"], (method, path)
        for status, answer in operation["responses"].items():
            assert answer["description"], (method, path, status)
            assert answer.get("content") or status == "204", (method, path, status)
    for parameter in (p for _, _, o in operations(document) for p in o.get("parameters", [])):
        assert parameter.get("description"), parameter


def test_every_example_of_a_body_is_answered(served: Any, document: dict[str, Any]) -> None:
    num_bodies = 0
    for method, path, operation in operations(document):
        if "requestBody" not in operation:
            continue
        num_bodies += 1
        examples = operation["requestBody"]["content"]["application/json"].get("examples")
        assert examples, f"{method} {path} has no example"
        for name, example in examples.items():
            answer = httpx.request(
                method, f"{served.url}{path}", json=example["value"], headers=BEARER, timeout=20
            )
            assert answer.status_code == 200, (name, answer.text)
    assert num_bodies >= 2


def test_the_schemas_of_events_and_traces_are_named(document: dict[str, Any]) -> None:
    assert {"Event", "Trace", "ErrorBody", "ChatCompletion"} <= set(document["components"]["schemas"])
