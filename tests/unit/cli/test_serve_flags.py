"""The flags of `steiner serve` are the settings of the server."""

import pytest

from steiner.serve_flags import WrongFlagError, settings_from
from steiner.server.settings import Settings


def test_every_setting_is_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        settings_from(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert not [name for name in Settings.model_fields if f"--{name.replace('_', '-')}" not in text]


def test_the_first_argument_may_be_the_model() -> None:
    settings = settings_from(["some/model", "--port", "99", "--tensor-parallel-size=2", "--enforce-eager"])
    assert (settings.model, settings.port, settings.tensor_parallel_size) == ("some/model", 99, 2)
    assert settings.enforce_eager is True


def test_a_flag_outranks_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEINER_PORT", "1111")
    monkeypatch.setenv("STEINER_HOST", "0.0.0.0")
    settings = settings_from(["--port", "2222"])
    assert (settings.port, settings.host) == (2222, "0.0.0.0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], r"--port: .*65535, given '70000'"),
        (["--port", "many"], r"--port: .*integer.*given 'many'"),
        ([""], r"--model: .*empty"),
    ],
)
def test_a_wrong_value_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(WrongFlagError, match=message):
        settings_from(arguments)


def test_an_unknown_flag_ends_in_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        settings_from(["--prot", "1"])
    assert caught.value.code == 2
    assert "--prot" in capsys.readouterr().err
