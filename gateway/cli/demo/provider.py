"""A simulated neighbour as a process: `python -m gateway.cli.demo.provider --port ...`.

What enters: HTTPS on this machine. What leaves: the answers of `neighbour`. Each connection
has a thread of its own, its TLS handshake included, so that one that stalls keeps nobody
waiting.
"""

import argparse
import ssl
import sys
from pathlib import Path
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from gateway.cli.demo.behaviour import Behaviour, Conduct, Mode
from gateway.cli.demo.memory import Memory
from gateway.cli.demo.neighbour import Character, build_neighbour


class PatientContext(ssl.SSLContext):
    """A context whose server sockets shake hands when first read, in the reader's thread."""

    def wrap_socket(self, sock: Any, **options: Any) -> ssl.SSLSocket:  # type: ignore[override]  # noqa: ANN401  # as the parent's, by name
        """Wrap a socket."""
        return super().wrap_socket(sock, **{**options, "do_handshake_on_connect": False})


class QuietHandler(WSGIRequestHandler):
    """Logs method, path and status only: a query may name a person."""

    timeout = 150
    """Seconds that a connection may say nothing; longer than the longest hang."""

    def connection_dropped(
        self,
        error: BaseException,  # noqa: ARG002  # as the parent's
        environ: dict[str, Any] | None = None,  # noqa: ARG002  # as the parent's
    ) -> None:
        """Close the connection, whoever broke it."""
        self.close_connection = True

    def log_request(self, code: Any = "-", size: Any = "-") -> None:  # noqa: ANN401, ARG002  # as the parent's
        """Write one line."""
        status = getattr(code, "value", code)
        sys.stderr.write(f"{self.command} {self.path.partition('?')[0]} {status}\n")

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002, ARG002  # as the parent's
        """Write that something went wrong, without quoting it."""
        sys.stderr.write("a request could not be read or answered\n")


def make_provider(
    character: Character, conduct: Conduct, *, database: Path, port: int, cert: Path, key: Path
) -> BaseWSGIServer:
    """Make the server, already listening on 127.0.0.1; port 0 takes any that is free."""
    context = PatientContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return make_server(
        "127.0.0.1",
        port,
        build_neighbour(character, Memory(database), conduct),
        threaded=True,
        request_handler=QuietHandler,
        ssl_context=context,
    )


def main(arguments: list[str] | None = None) -> None:
    """Serve until stopped."""
    told = _parser().parse_args(arguments)
    character = Character(ods=told.ods, name=told.name, takes=frozenset(told.takes))
    conduct = Conduct(Behaviour(mode=told.mode, times=told.times))
    server = make_provider(
        character, conduct, database=told.db, port=told.port, cert=told.cert, key=told.key
    )
    server.serve_forever()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.cli.demo.provider")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--ods", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument(
        "--takes", type=_coding, action="append", default=[], metavar="SYSTEM|CODE",
        help="A code that a referral must carry; may be given again. None: any referral.",
    )  # fmt: skip
    parser.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.OK)
    parser.add_argument("--times", type=int, default=None)
    return parser


def _coding(text: str) -> tuple[str, str]:
    system, _, code = text.rpartition("|")
    return system, code


if __name__ == "__main__":
    main()
