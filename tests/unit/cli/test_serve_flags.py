"""The flags of `steiner serve` are the settings of the server."""

from pathlib import Path

import pytest

from steiner.cli.serve_flags import WrongFlagError, settings_from
from steiner.cli.serve_help import GROUPS, OTHERS
from steiner.server.engine.vllm_engine import engine_arguments
from steiner.server.settings import Settings


def help_text(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        settings_from(["--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_every_setting_is_a_flag_in_a_group(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_text(capsys)
    assert not [name for name in Settings.model_fields if f"--{name.replace('_', '-')}" not in text]
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(set(grouped))
    assert set(grouped) == set(Settings.model_fields)
    assert OTHERS not in text


VLLM_FLAGS = """--model --served-model-name --max-model-len --trust-remote-code --dtype --quantization --seed
--tensor-parallel-size --pipeline-parallel-size --data-parallel-size --nnodes --node-rank --master-addr --master-port
--headless --gpu-memory-utilization --max-num-seqs
--enforce-eager --block-size --host --port --root-path --ssl-keyfile --ssl-certfile --ssl-ca-certs --allowed-origins
--allowed-methods --allowed-headers --allow-credentials --api-key --otlp-traces-endpoint --config"""


def test_what_a_user_of_vllm_types_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_text(capsys)
    assert not [flag for flag in VLLM_FLAGS.split() if f"{flag} " not in text and f"{flag}," not in text]


def test_the_first_argument_may_be_the_model() -> None:
    settings = settings_from(["some/model", "--port", "99", "--tensor-parallel-size=2", "--enforce-eager"])
    assert (settings.model, settings.port, settings.tensor_parallel_size) == ("some/model", 99, 2)
    assert settings.enforce_eager is True


def test_a_seeded_prompt_is_never_prefilled_in_parts_on_a_cpu() -> None:
    known = frozenset({"enable_chunked_prefill"})
    gpu, cpu = (engine_arguments(settings_from([]), on_cpu=on_cpu, known=known) for on_cpu in (False, True))
    assert cpu["enable_chunked_prefill"] is False
    assert "enable_chunked_prefill" not in gpu
    chosen = settings_from(["--engine-args", '{"enable_chunked_prefill": true}'])
    assert engine_arguments(chosen, on_cpu=True, known=known)["enable_chunked_prefill"] is True


def test_machines_that_share_a_model_are_named_as_for_vllm() -> None:
    others = ["--nnodes", "2", "--master-addr", "10.0.0.1", "--tensor-parallel-size", "2"]
    settings = settings_from([*others, "--node-rank", "1", "--headless"])
    assert (settings.nnodes, settings.node_rank, settings.headless) == (2, 1, True)
    arguments = engine_arguments(settings, on_cpu=False, known=frozenset())
    assert (arguments["node_rank"], arguments["master_addr"], arguments["master_port"]) == (
        1,
        "10.0.0.1",
        29501,
    )
    assert "nnodes" not in engine_arguments(settings_from([]), on_cpu=False, known=frozenset())
    # Of what they compute nothing may differ.
    leader = engine_arguments(settings_from(others), on_cpu=False, known=frozenset())
    assert leader | {"node_rank": 1} == arguments


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--nnodes", "2", "--node-rank", "2", "--headless"], "node_rank must be below nnodes"),
        (["--nnodes", "2", "--node-rank", "1"], "every other one is headless"),
        (["--headless"], "every other one is headless"),
    ],
)
def test_machines_that_contradict_each_other_are_refused(arguments: list[str], named: str) -> None:
    with pytest.raises(WrongFlagError, match=named):
        settings_from(arguments)


def test_vllms_other_spellings_are_taken() -> None:
    settings = settings_from(
        ["--tensor_parallel_size", "2", "--max_model_len=512", "--uvicorn-log-level", "debug"]
    )
    assert (settings.tensor_parallel_size, settings.max_model_len, settings.log_level) == (2, 512, "debug")


@pytest.mark.parametrize("arguments", [["--api-key", "a", "--api-key", "b"], ["--api-key", "a,b"]])
def test_several_keys_in_clear(arguments: list[str]) -> None:
    assert [key.get_secret_value() for key in settings_from(arguments).api_key] == ["a", "b"]


def test_one_key_in_a_variable_needs_no_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEINER_API_KEY", "sk-only")
    assert [key.get_secret_value() for key in settings_from([]).api_key] == ["sk-only"]


def test_flags_outrank_variables_and_variables_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "steiner.yaml"
    file.write_text("port: 1\nhost: 10.0.0.1\nmax-queued: 3\nreasoning: {max_steps: 4, min_steps: 2}\n")
    monkeypatch.setenv("STEINER_PORT", "1111")
    monkeypatch.setenv("STEINER_HOST", "0.0.0.0")
    settings = settings_from(["--port", "2222", "--config", str(file)])
    assert (settings.port, settings.host, settings.max_queued) == (2222, "0.0.0.0", 3)
    assert settings.reasoning.max_steps == 4


def test_the_file_may_be_toml_and_named_by_a_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "steiner.toml"
    file.write_text(f'port = 7\n[[api_keys]]\nname = "alice"\nsha256 = "{"0" * 64}"\nmax_concurrent = 2\n')
    monkeypatch.setenv("STEINER_CONFIG", str(file))
    settings = settings_from([])
    assert (settings.port, settings.api_keys[0].name, settings.api_keys[0].max_concurrent) == (7, "alice", 2)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "prot: 1", "unknown setting prot; did you mean port"),
        ("a.yaml", "port: many", "--port: .*integer"),
        ("a.yaml", "a: [", "cannot be read"),
        ("a.toml", "port =", "cannot be read"),
        ("a.yaml", "- 1", "cannot be read"),
        ("a.json", "{}", "must end in .yaml"),
        ("a.yaml", None, "is no file"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with pytest.raises(WrongFlagError, match=message):
        settings_from(["--config", str(file)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], r"--port: .*65535, given '70000'"),
        (["--port", "many"], r"--port: .*integer.*given 'many'"),
        ([""], r"--model: .*empty"),
        (["--root-path", "steiner"], r"--root-path: .*begin with /"),
        (["--config"], r"--config: a file is missing"),
    ],
)
def test_a_wrong_value_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(WrongFlagError, match=message):
        settings_from(arguments)


@pytest.mark.parametrize("url", ["redis://:hush-hush@10.0.0.1:6379/0", "redis://ann:hush-hush@10.0.0.1"])
def test_the_password_of_redis_is_shown_nowhere(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STEINER_REDIS_URL", url)
    assert "hush" not in help_text(capsys)
    settings = settings_from(["--store", "redis"])
    assert settings.store_redis_url == url
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert "hush" not in shown


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://:hush-hush@10.0.0.1", "must begin with one of redis://"),
        ("hush-hush@10.0.0.1", "must begin with one of redis://"),
        ("redis://:hush/hush@10.0.0.1:6379/0", "%2F"),
        ("redis://:hush-hush@10.0.0.1?socket_timeout=soon", "option .* impossible value"),
        ("redis://:hush-hush@10.0.0.1?sockettimeout=5", "option .* is unknown"),
    ],
)
def test_nor_where_it_is_wrong(url: str, message: str) -> None:
    with pytest.raises(WrongFlagError, match=message) as refused:
        settings_from(["--store", "redis", "--redis-url", url])
    assert "hush" not in str(refused.value)


def test_a_wrong_key_is_not_repeated() -> None:
    with pytest.raises(WrongFlagError) as refused:
        settings_from(["--api-keys", '[{"name": "a", "sha256": "sk-in-clear"}]'])
    assert "sk-in-clear" not in str(refused.value)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--max-modl-len", "did you mean --max-model-len?"),
        ("--tensor-paralel-size", "did you mean --tensor-parallel-size?"),
        ("--speculative-config", "--engine-args"),
        ("--prot", "unknown flag --prot"),
    ],
)
def test_an_unknown_flag_ends_with_what_is_near(
    flag: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        settings_from([flag, "1"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


def test_secrets_of_sealed_reasoning_are_long_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = ["hush" * 8, "hushed" * 8]
    monkeypatch.setenv("STEINER_REASONING_SEAL_KEY", ",".join(secrets))
    assert "hush" not in help_text(capsys)
    settings = settings_from([])
    assert [text.get_secret_value() for text in settings.reasoning_seal_key] == secrets
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert "hush" not in shown
    monkeypatch.setenv("STEINER_REASONING_SEAL_KEY", "hush")
    with pytest.raises(WrongFlagError, match="32 characters") as refused:
        settings_from([])
    assert "hush" not in str(refused.value)
