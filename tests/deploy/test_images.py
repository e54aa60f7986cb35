"""deploy/Dockerfile: linted, and what a cautious operator asks of an image."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable

import pytest

from .dockerfile import DOCKERFILE, ROOT, Stage, read_stages

STAGES = read_stages()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(params=list(STAGES.values()), ids=list(STAGES))
def image(request: pytest.FixtureRequest) -> Stage:
    stage: Stage = request.param
    return stage


def test_hadolint_has_nothing_to_say(program: Callable[[str], str]) -> None:
    command = [program("hadolint"), "--no-color", str(DOCKERFILE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_there_is_one_for_each_kind_of_machine() -> None:
    assert set(STAGES) == {"cpu", "gpu"}
    [pinned] = PROJECT["optional-dependencies"]["gpu"][:1]
    assert STAGES["gpu"].base == f"vllm/vllm-openai:v{pinned.removeprefix('vllm==')}"
    assert not any(stage.base.endswith(":latest") or ":" not in stage.base for stage in STAGES.values())


def test_it_runs_as_nobody_in_particular(image: Stage) -> None:
    user, group = image.last_of("USER").value.split(":")
    # A number: Kubernetes' runAsNonRoot does not look a name up.
    assert int(user) == int(group) >= 10_000
    created = " ".join(run.value for run in image.all_of("RUN"))
    home = image.last_of("ENV").assignments["HOME"]
    assert f"useradd --uid {user} --create-home --home-dir {home} steiner" in created
    assert image.last_of("VOLUME").value == home


def test_it_tells_its_version_and_how_it_is(image: Stage) -> None:
    assert image.last_of("ARG").assignments == {"STEINER_VERSION": PROJECT["version"]}
    labels = image.last_of("LABEL").assignments
    assert labels["org.opencontainers.image.version"] == "${STEINER_VERSION}"
    assert labels["org.opencontainers.image.base.name"].endswith(f"/{image.base}")
    assert "/ready" in image.last_of("HEALTHCHECK").value
    assert image.last_of("ENTRYPOINT").arguments == ["steiner", "serve"]


def test_it_holds_no_secret(image: Stage) -> None:
    named = [name for kind in ("ENV", "ARG") for line in image.all_of(kind) for name in line.assignments]
    assert not [name for name in named if re.search(r"KEY|TOKEN|SECRET|PASSWORD|URL", name)]
    assert not image.all_of("ADD")


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    copied = {
        source
        for stage in STAGES.values()
        for copy in stage.all_of("COPY")
        for source in copy.value.split()[:-1]
    }
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


def test_the_cpu_image_installs_what_the_server_needs_of_the_pinned_versions() -> None:
    command = [sys.executable, "scripts/renew_constraints.py", "--image"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert (ROOT / "deploy" / "requirements-cpu.txt").read_text() == done.stdout, "run `make constraints`"
    pins = set((ROOT / "constraints.txt").read_text().split("\n"))
    assert {line for line in done.stdout.split("\n") if not line.startswith("#")} <= pins
    for name in ("pytest", "mypy", "matplotlib"):
        assert f"\n{name}==" not in done.stdout
