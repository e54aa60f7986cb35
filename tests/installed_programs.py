"""Programs of other people: where one is missing, the test says how to get it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

PACKAGES = {
    "chromium": "apt-get install chromium",
    "curl": "apt-get install curl",
    "hadolint": "make install",
    "kubectl": "apt-get install kubectl, from Kubernetes' own package repository",
    "node": "apt-get install nodejs",
    "npm": "apt-get install npm",
    "nginx": "apt-get install nginx-light",
    "openssl": "apt-get install openssl",
    "prometheus": "apt-get install prometheus",
    "promtool": "apt-get install prometheus",
}


def find_program(name: str) -> str:
    """Path of an installed program; fails the test that needs it where it is missing."""
    # Debian keeps servers out of an ordinary user's path, and the environment of the tests need not be in it.
    also = f"/usr/sbin:/usr/local/sbin:{Path(sys.executable).parent}"
    found = shutil.which(name) or shutil.which(name, path=also)
    if found is None:
        pytest.fail(f"{name} is not installed: {PACKAGES[name]} (CONTRIBUTING.md)")
    return found
