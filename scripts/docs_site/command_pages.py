"""The reference of the command line and of the server's settings, from the code that reads them."""

from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from steiner.cli.main import app
from steiner.cli.serve_help import GROUPS
from steiner.server.settings import Settings

VARIABLE_PREFIX = Settings.model_config["env_prefix"]


def command_page() -> str:
    """Every command with its arguments and options, as Typer describes them."""
    group = get_command(app)
    made = get_docs_for_click(obj=group, ctx=Context(group), name="steiner", title="Command line")
    return made.replace(
        "lists every setting.\n", "lists every setting, and so does the page [settings](settings.md).\n"
    )


def settings_page() -> str:
    """Every setting as a flag and as a variable, in the groups of `steiner serve --help`."""
    parts = [
        "# Settings",
        "Every setting is a flag of `steiner serve`, a variable, and a key of the file that `--config` names "
        "(YAML or TOML, with underscores). A flag outranks the variable, and the variable the file. "
        "Times are in seconds, and sizes in bytes, unless the name says more.",
    ]
    for title, names in GROUPS.items():
        rows = ["| flag | variable | default | |", "|---|---|---|---|"]
        for name in names:
            field = Settings.model_fields[name]
            default = field.get_default(call_default_factory=True, validated_data={})
            # The model's is a path of this machine, the limits' an object that says nothing.
            shown = "" if default in (None, "") or name in ("model", "reasoning") else f"`{default}`"
            cells = (
                f"`--{name.replace('_', '-')}`",
                f"`{VARIABLE_PREFIX}{name.upper()}`",
                shown,
                (field.description or "").replace("|", r"\|"),
            )
            rows.append(f"| {' | '.join(cells)} |")
        parts += [f"## {title.capitalize()}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"
