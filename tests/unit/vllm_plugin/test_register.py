"""The entry point that plain vLLM loads, found as vLLM finds it and loaded as in a process that never serves."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
from importlib.metadata import entry_points

(plugin,) = (found for found in entry_points(group="vllm.general_plugins") if found.name == "steiner")
register = plugin.load()
print(*sorted(sys.modules.keys() & {"fastapi", "pydantic", "torch", "transformers", "vllm"}))
register()
register()
print(*sorted(name for name in sys.modules if name.split(".")[0] == "steiner"))
from vllm.reasoning import ReasoningParserManager
print(ReasoningParserManager.get_reasoning_parser("steiner").__module__)
"""


def test_the_installed_metadata_have_it() -> None:
    values = [found.value for found in entry_points(group="vllm.general_plugins") if found.name == "steiner"]
    assert values == ["steiner.vllm_plugin.register:register"], "run `make install`"


def test_it_loads_nothing_until_the_parser_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    # vLLM itself may print lines of its own.
    before, registered, parser = done.stdout.splitlines()[-3:]
    assert before == ""
    assert registered == "steiner steiner.vllm_plugin steiner.vllm_plugin.register"
    assert parser == "steiner.vllm_plugin.reasoning_parser"
