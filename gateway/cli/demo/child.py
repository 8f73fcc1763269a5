"""What each child process of the demo runs: a module, until its parent ends.

`python -m gateway.cli.demo.child MODULE ARGUMENT...`: the parent holds the other end of
standard input, which the system closes when the parent ends, however it ends. The child then
sends itself SIGTERM, which every process of the demo understands.
"""

import os
import runpy
import signal
import sys
import threading


def main() -> None:
    """Run the module that the arguments name as if Python had been started with it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
