"""A new API key for a server."""

import json

import typer
from pydantic import ValidationError

from steiner.server.access.keys import ApiKey, hash_key, new_key


def print_key(name: str) -> None:
    """Print a new key, and the entry for it in the server's settings.

    Raises:
        typer.Exit: with 2 if a key cannot have this name.
    """
    key = new_key()
    try:
        entry = ApiKey(name=name, sha256=hash_key(key)).model_dump(exclude_none=True)
    except ValidationError as error:
        typer.secho(
            "steiner: a name has letters, digits, dots, dashes and underscores, 64 at most",
            fg="red",
            err=True,
        )
        raise typer.Exit(2) from error
    typer.echo(f"key, for {name} alone; it is not shown again:\n  {key}")
    typer.echo(
        f"for the server's settings (STEINER_API_KEYS, --api-keys, or api_keys in the file):\n  [{json.dumps(entry)}]"
    )
