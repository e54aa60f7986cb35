"""Where generations are kept: one small interface, with an embedded store and a shared one."""

from __future__ import annotations

import os
from pathlib import Path

from steiner.server.generations.store.base import Store
from steiner.server.generations.store.sqlite import SqliteStore
from steiner.server.settings import DEFAULT_REDIS_URL, Settings

FILE_NAME = "generations.sqlite3"


def store_of(settings: Settings) -> Store:
    """The store that the settings name, not open yet."""
    match settings.store:
        case "memory":
            return SqliteStore(None)
        case "sqlite":
            return SqliteStore(settings.store_path or default_path())
        case "redis":
            # Imported here, so that servers that do not use it need not have the package.
            from steiner.server.generations.store.redis import RedisStore

            return RedisStore(
                settings.store_redis_url or DEFAULT_REDIS_URL,
                retention_s=settings.retention_s,
                running_s=settings.generation_timeout_s,
            )


def default_path() -> Path:
    """In the state folder of the user.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/ (XDG_STATE_HOME).
    """
    given = os.environ.get("XDG_STATE_HOME", "")
    # The specification: a relative path is invalid and to be ignored.
    folder = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return folder / "steiner" / FILE_NAME
