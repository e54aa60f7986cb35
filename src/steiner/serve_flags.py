"""`steiner serve`: the flags are the fields of the server's settings, so neither can lag behind the other."""

import sys
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import CliSettingsSource, SettingsError

from steiner.server.settings import Settings


class WrongFlagError(Exception):
    """A flag or a STEINER_ variable has an impossible value; the message names each."""


def settings_from(arguments: Sequence[str]) -> Settings:
    """Read `[MODEL] [--flag value ...]`; other values come from `STEINER_*` variables, then the defaults.

    Raises:
        WrongFlagError: a value is impossible.
        SystemExit: an unknown flag (2), or `--help` (0), with the text printed.
    """
    positional = bool(arguments) and not arguments[0].startswith("-")
    flags = ["--model", *arguments] if positional else list(arguments)
    source: CliSettingsSource[Settings] = CliSettingsSource(
        Settings,
        cli_prog_name="steiner serve [MODEL]",
        cli_parse_args=flags,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )
    try:
        return Settings(_cli_settings_source=source)
    except ValidationError as error:
        raise WrongFlagError("\n".join(map(_line, error.errors()))) from error
    except SettingsError as error:
        # pydantic names the field but not the variable, nor what it wants.
        raise WrongFlagError(f"{error}: a STEINER_ variable of several values is JSON") from error


def _line(problem: ErrorDetails) -> str:
    flag = ".".join(map(str, problem["loc"])).replace("_", "-")
    return f"--{flag}: {problem['msg']}, given {problem['input']!r}"


def run(arguments: Sequence[str]) -> int:
    """Serve until told to stop; the exit status of the process."""
    try:
        settings = settings_from(arguments)
    except WrongFlagError as error:
        print(error, file=sys.stderr)
        return 2
    from steiner.server.main import serve

    return serve(settings)
