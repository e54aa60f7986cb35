"""Print docs/licences.md: the licence of everything that the CPU image installs, as its own metadata names it.

python scripts/list_licences.py > docs/licences.md
"""

import re
from collections import defaultdict
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parents[1] / "deploy" / "requirements-cpu.txt"
#: Where the metadata has words of its own.
SPDX = {
    "3-clause bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache-2.0 license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
}
#: Where the metadata names none, or the package is not on every Python; read in the file that comes with it.
READ = {"async-timeout": "Apache-2.0", "oss-harmony": "Apache-2.0", "setuptools": "MIT"}
HEADER = """\
# Licences

These are the licences of what the CPU image installs with Python, as each package's own metadata
names them. `scripts/list_licences.py` writes this page. Nothing of it is changed or copied into
Steiner. The GPU image has vLLM's base image with a list of its own, and mostly the same packages.
The versions are in `deploy/requirements-cpu.txt`. `make sbom` writes all of it as CycloneDX.

| licence | packages |
|---|---|
"""


def licence_of(name: str) -> str:
    """SPDX expression where the metadata has one or says as much, else its words."""
    if name in READ:
        return READ[name]
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return "for another processor"
    expression = found.get("License-Expression")
    said = expression or _classified(found) or (found.get("License") or "not named").splitlines()[0]
    return said if expression else SPDX.get(said.strip().lower(), said.strip())


def _classified(found: PackageMetadata) -> str | None:
    marks = [
        line.split(" :: ")[-1] for line in found.get_all("Classifier") or [] if line.startswith("License")
    ]
    named = [mark for mark in marks if mark not in ("OSI Approved", "Other/Proprietary License")]
    return " AND ".join(sorted({SPDX.get(mark.lower(), mark) for mark in named})) or None


def main() -> None:
    """Print the page."""
    packages: dict[str, list[str]] = defaultdict(list)
    for line in REQUIREMENTS.read_text().splitlines():
        if line and not line.startswith("#"):
            name = Requirement(line).name
            packages[re.sub(r"\s+", " ", licence_of(name))].append(name)
    print(HEADER, end="")
    for licence, names in sorted(packages.items(), key=lambda item: (-len(item[1]), item[0])):
        print(f"| {licence} | {', '.join(names)} |")


if __name__ == "__main__":
    main()
