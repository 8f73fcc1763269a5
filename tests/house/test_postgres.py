"""The tests' own PostgreSQL: clean for each test, and gone when the tests are."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.postgres import PostgresServer, bundled, started_server


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.mark.postgresql
def test_a_fresh_database_is_empty_and_its_own(postgres_server: PostgresServer) -> None:
    first, second = postgres_server.fresh_database(), postgres_server.fresh_database()
    rows(first, "CREATE TABLE referral (id int)")
    assert rows(second, "SELECT 1 FROM pg_class WHERE relname = 'referral'") == []


@pytest.mark.postgresql
def test_the_schema_is_made_once_and_cloned(postgres_server: PostgresServer) -> None:
    made_in: list[str] = []

    def prepare(url: str) -> None:
        made_in.append(url)
        rows(url, "CREATE TABLE referral (id int)")

    urls = [postgres_server.fresh_database(prepare) for _ in range(3)]
    assert [rows(url, "SELECT * FROM referral") for url in urls] == [[], [], []]
    assert len(made_in) == 1


@pytest.mark.postgresql
def test_a_dropped_database_is_gone_even_while_in_use(postgres_server: PostgresServer) -> None:
    url = postgres_server.fresh_database()
    connection = psycopg.connect(url.replace("+psycopg", ""))
    postgres_server.drop_database(url)
    with pytest.raises(psycopg.OperationalError):
        rows(url, "SELECT 1")
    connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the bundled server is for Linux")
def test_the_bundled_server_serves_where_the_system_has_none() -> None:
    with started_server(bundled()[0]) as server:
        assert rows(server.fresh_database(), "SELECT 1") == [(1,)]
    assert not server.socket_folder.exists()


def test_the_server_ends_with_tests_that_were_killed() -> None:
    program = (
        "import time\n"
        "from tests.postgres import started_server\n"
        "with started_server() as server:\n"
        "    pid = (server.socket_folder / 'data/postmaster.pid').read_text().split()[0]\n"
        "    print(pid, server.socket_folder, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as tests:
        assert tests.stdout is not None
        pid, folder = tests.stdout.readline().decode().split()
        assert is_alive(int(pid))
        tests.kill()
    last = time.monotonic() + 20
    while time.monotonic() < last and (is_alive(int(pid)) or Path(folder).exists()):
        time.sleep(0.05)
    assert not is_alive(int(pid))
    assert not Path(folder).exists()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A machine whose first process buries no orphans keeps the dead ones listed, as zombies.
    status = Path(f"/proc/{pid}/status")
    return not (status.exists() and "State:\tZ" in status.read_text())


def test_database_url_names_a_working_database(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        assert Path(database_url.removeprefix("sqlite:///")).parent.is_dir()
    else:
        assert rows(database_url, "SELECT 1") == [(1,)]
