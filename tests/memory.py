"""A folder in memory, for what no test keeps: a database is made there many times faster."""

import os
import shutil
from pathlib import Path

ROOM = 2 * 1024**3
"""Bytes that must be free: a whole run takes some hundreds of megabytes."""


def folder_in_memory() -> Path | None:
    """Return a folder that lies in memory; None where there is none, or too little room.

    One in which no program may be run will not do: some tests write programs.
    """
    folder = Path("/dev/shm")  # noqa: S108  # what is made in it has names of its own
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return None
    is_for_data_only = os.statvfs(folder).f_flag & os.ST_NOEXEC
    has_room = shutil.disk_usage(folder).free >= ROOM
    return folder if has_room and not is_for_data_only else None
