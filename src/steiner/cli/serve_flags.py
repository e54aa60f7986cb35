"""`steiner serve`: its flags are the fields of the server's settings, so the two always agree."""

import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
    YamlConfigSettingsSource,
)
from yaml import YAMLError

from steiner.cli.fetched_models import NotFetchedError, resolved
from steiner.cli.serve_help import ServeParser, normalised
from steiner.server.settings import Settings

CONFIG_VARIABLE = "STEINER_CONFIG"
SECRET = ("api-key", "reasoning-seal-key", "redis-url")
"""Beginnings of the flags whose values are not shown."""


class WrongFlagError(Exception):
    """A flag, a STEINER_ variable or a line of the file has an impossible value; the message names each."""


def settings_from(arguments: Sequence[str]) -> Settings:
    """Read `[MODEL] [--config FILE] [--flag value ...]`. Flags outrank `STEINER_*` variables, which outrank the file.

    Raises:
        WrongFlagError: a value is impossible, or the file cannot be read.
        SystemExit: an unknown flag (2), or `--help` (0), with the text printed.
    """
    positional = bool(arguments) and not arguments[0].startswith("-")
    flags = normalised(["--model", *arguments] if positional else arguments)
    path, flags = _config(flags)
    settings = Settings if path is None else _with_file(Path(path))
    try:
        source: CliSettingsSource[Any] = CliSettingsSource(
            settings,
            root_parser=ServeParser(),
            cli_parse_args=flags,
            cli_kebab_case=True,
            cli_implicit_flags=True,
            cli_hide_none_type=True,
            cli_avoid_json=True,
        )
        return settings(_cli_settings_source=source)
    except ValidationError as error:
        raise WrongFlagError("\n".join(map(_line, error.errors()))) from error
    except SettingsError as error:
        # pydantic names the field, but neither the variable nor the expected form.
        raise WrongFlagError(f"{error}: a STEINER_ variable of several values is JSON") from error


def with_fetched_model(settings: Settings) -> Settings:
    """The settings with the folder of a model that `steiner fetch` has made, in place of its short name.

    Raises:
        NotFetchedError: it is such a name, and has not been fetched.
    """
    return settings.model_copy(update={"model": resolved(settings.model)})


def _config(flags: Sequence[str]) -> tuple[str | None, list[str]]:
    """The file, named by the last flag or by the variable, and the other flags."""
    path = os.environ.get(CONFIG_VARIABLE)
    others: list[str] = []
    remaining = iter(flags)
    for flag in remaining:
        if flag == "--config":
            path = next(remaining, None)
            if path is None:
                raise WrongFlagError("--config: a file is missing after it")
        elif flag.startswith("--config="):
            path = flag.removeprefix("--config=")
        else:
            others.append(flag)
    return path or None, others


def _with_file(path: Path) -> type[Settings]:
    """Settings with a file as their last source, after flags and environment."""
    readers: dict[str, type[YamlConfigSettingsSource | TomlConfigSettingsSource]] = {
        ".yaml": YamlConfigSettingsSource,
        ".yml": YamlConfigSettingsSource,
        ".toml": TomlConfigSettingsSource,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise WrongFlagError(f"--config: {path} must end in {', '.join(readers)}")
    if not path.is_file():
        raise WrongFlagError(f"--config: {path} is no file")
    try:
        content = reader(Settings, path)()
    except (OSError, TypeError, ValueError, YAMLError) as error:
        raise WrongFlagError(f"--config: {path} cannot be read: {error}") from error
    content = {name.replace("-", "_"): value for name, value in content.items()}
    for name in content:
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, list(Settings.model_fields), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise WrongFlagError(f"{path}: unknown setting {name}{hint}")

    class FromFile(Settings):
        """Those settings."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """The file comes last."""
            return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=content)

    return FromFile


def _line(problem: ErrorDetails) -> str:
    flag = ".".join(map(str, problem["loc"])).replace("_", "-")
    # A secret is not repeated, not even a wrong one.
    given = "" if flag.startswith(SECRET) else f", given {problem['input']!r}"
    return f"--{flag}: {problem['msg']}{given}" if flag else problem["msg"]


def run(arguments: Sequence[str]) -> int:
    """Serve until told to stop; the exit status of the process."""
    try:
        settings = with_fetched_model(settings_from(arguments))
    except (WrongFlagError, NotFetchedError) as error:
        print(error, file=sys.stderr)
        return 2
    from steiner.server.main import serve

    return serve(settings)
