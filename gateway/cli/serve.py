"""`gateway serve` and `gateway worker`: the two long-running processes."""

import gc
import json
import logging
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from gateway.app import (
    create_app,
    create_keeper,
    create_notifier,
    create_postman,
    create_worker,
    open_gateway,
)
from gateway.config import Settings
from gateway.journey.policies import put_in_force

_PATIENCE = timedelta(seconds=30)
_LOOK_AGAIN = timedelta(milliseconds=200)
_TURN = timedelta(microseconds=500)


class JsonLines(logging.Formatter):
    """One JSON object a line, of these fields only: nothing else can leak into a log."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record. Tracebacks are left out: they may quote data."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for field in ("request_id", "route", "status", "milliseconds"):
            value = getattr(record, field, None)
            if value is not None:
                line[field] = value
        return json.dumps(line)


def log_to_stderr() -> None:
    """Send the gateway's log lines to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("urllib3", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _FrontDoor(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured from our settings. Each worker opens its own database pool."""

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._settings = settings
        self._bind = f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        """Hand the settings to gunicorn."""
        settings = self._settings
        options: dict[str, Any] = {
            "bind": self._bind,
            "workers": settings.web_workers,
            "threads": settings.web_threads,
            "worker_class": "gateway.cli.unread.FrontDoorWorker",
            "timeout": 30,
            "graceful_timeout": 20,
            "keepalive": 15,
            "limit_request_line": 4094,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            "accesslog": None,
            "control_socket_disable": True,
            "loglevel": "warning",
            "certfile": str(settings.tls_certificate) if settings.tls_certificate else None,
            "keyfile": str(settings.tls_key) if settings.tls_key else None,
        }
        for name, value in options.items():
            if value is not None:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the application inside a worker process."""
        log_to_stderr()
        app = create_app(self._settings)
        _collect_seldom()
        return app


def _collect_seldom() -> None:
    """Keep the collector from walking what never dies, and each message's tree, over and over."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _take_turns_often() -> None:
    """Let a thread that the database has answered go on soon: others wait for what it has locked.

    Each hand of a worker waits its turn for the ledger's head, in the database; the one whose
    turn it is must not then wait for this interpreter, which by default a busy thread leaves
    after 5 ms.
    """
    sys.setswitchinterval(_TURN.total_seconds())


def _be_ready(settings: Settings) -> None:
    """Check the database, and record which rules are in force from here on."""
    gateway = open_gateway(settings)
    put_in_force(gateway)
    gateway.store.close()


def run_front_door(settings: Settings, *, host: str, port: int) -> None:
    """Serve until stopped. A database with another schema stops it before it listens."""
    log_to_stderr()
    _be_ready(settings)
    _FrontDoor(settings, host, port).run()


def run_worker(settings: Settings) -> None:
    """Deliver until SIGTERM or SIGINT, then finish the attempts under way.

    The handlers take no lock, and the wait ends now and then: a signal may come while this
    thread holds a lock, and may be delivered to another thread, which wakes nobody here.
    """
    log_to_stderr()
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.append(number))
    _be_ready(settings)
    worker, keeper = create_worker(settings), create_keeper(settings)
    postman, notifier = create_postman(settings), create_notifier(settings)
    _collect_seldom()
    _take_turns_often()
    worker.start()
    keeper.start()
    postman.start()
    notifier.start()
    logging.getLogger(__name__).info("the worker is delivering")
    while not told:
        time.sleep(_LOOK_AGAIN.total_seconds())
    worker.stop(patience=_PATIENCE)
    keeper.stop(patience=_PATIENCE)
    postman.stop(patience=_PATIENCE)
    notifier.stop(patience=_PATIENCE)
