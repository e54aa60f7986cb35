"""docs/operations.md has every setting, every metric and every reason, as the code has them."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from steiner.cli.serve_help import GROUPS
from steiner.server.errors import REASONS
from steiner.server.model.metrics import Metrics
from steiner.server.settings import Settings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")


def setting_row(name: str) -> str:
    field = Settings.model_fields[name]
    default = ""
    if field.default_factory is list:
        default = "`[]`"
    elif field.default_factory is None and field.default not in (None, "") and name != "reasoning":
        default = f"`{field.default}`"
    return f"| `--{name.replace('_', '-')}` | {default} | {field.description} |"


def test_every_setting_is_described_as_it_is() -> None:
    for title, names in GROUPS.items():
        section = PAGE.split(f"### {title.capitalize()}\n")[1].split("###")[0]
        for name in names:
            assert Settings.model_fields[name].description
            assert setting_row(name) in section


def test_every_metric_is_described_as_it_is_and_no_other() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    expected = {
        f"| `{family.name}{'_total' if family.type == 'counter' else ''}` | {family.documentation} |"
        for family in registry.collect()
    }
    assert {line for line in PAGE.splitlines() if line.startswith("| `steiner_")} == expected


def test_every_reason_is_named() -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith("Reasons of"))
    assert (
        line
        == f"Reasons of `steiner_requests_refused_total`: {', '.join(f'`{x}`' for x in sorted(REASONS))}."
    )


def test_every_code_that_is_answered_is_a_reason() -> None:
    """One that is missing would be counted as `other`."""
    server = Path(__file__).resolve().parents[3] / "server"
    codes = {
        code for path in server.rglob("*.py") for code in re.findall(r'code="([a-z_]+)"', path.read_text())
    }
    # Counted under the limit that was met.
    assert codes - {"rate_limit_exceeded"} <= REASONS
