"""How log lines look: text for people or JSON for machines, each with the id of the request it belongs to."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from steiner.server.http.request_context import current_request
from steiner.server.settings import LogFormat


class RequestIds(logging.Filter):
    """Puts the request's id on every record, where the record is made and the request is known."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        record.request_id = current_request().id
        return True


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class TextFormatter(logging.Formatter):
    """`2026-11-25T12:00:00.000+00:00 INFO req_... steiner.access: message`, each message on one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The first line; a stack trace follows on lines of its own."""
        text = record.message.replace("\r", "\\r").replace("\n", "\\n")
        request_id = getattr(record, "request_id", "-")
        return f"{_time(record)} {record.levelname} {request_id} {record.name}: {text}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request_id, and the fields of an access line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "-"),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_config(level: str, log_format: LogFormat) -> dict[str, Any]:
    """For `logging.config.dictConfig`: our loggers and uvicorn's on standard error."""
    formatter = {"text": TextFormatter, "json": JsonFormatter}[log_format]
    ours = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_ids": {"()": RequestIds}},
        "formatters": {"line": {"()": formatter}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_ids"]}
        },
        # uvicorn.error also has uvicorn's start and stop lines; uvicorn.access is replaced by our own line.
        "loggers": {"steiner": ours, "uvicorn": ours},
    }
