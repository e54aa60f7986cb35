"""Programs of other people, which `make test` installs: where one is missing all the same, the test says so."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest


def find_program(name: str) -> str:
    """Path of an installed program; fails the test that needs it where it is missing."""
    # Debian keeps servers out of an ordinary user's path, and the environment of the tests need not be in it.
    also = f"/usr/sbin:/usr/local/sbin:{Path(sys.executable).parent}"
    found = shutil.which(name) or shutil.which(name, path=also)
    if found is None:
        pytest.fail(f"{name} is not installed: make install-tests")
    return found
