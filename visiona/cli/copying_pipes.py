"""`-` for a backup's file: standard output and standard input, for `ssh`, `age` and the like."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from visiona.cli.output import CommandError, Exit

PIPE = Path("-")


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Where to write a backup; a reader who goes away before its end is a failure.

    Raises:
        CommandError: it is a terminal, or nobody takes it.
    """
    if sys.stdout.isatty():
        raise CommandError(
            "a backup is no text for a terminal: name a file, or send it on, as in `visiona backup - | age …`",
            code="USAGE",
            exit_code=Exit.USAGE,
        )
    try:
        yield sys.stdout.buffer
    except BrokenPipeError as error:
        # What is left in Python's buffer would be complained of at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CommandError(
            "whoever was to take the backup went away before its end; what they have is of no use",
            code="BROKEN_PIPE",
        ) from error


@contextmanager
def backup_to_read(path: Path) -> Iterator[Path | BinaryIO]:
    """The file, or what comes by standard input, laid down without a name first: its end says what is in it.

    It is laid where TMPDIR says; OSError where there is no room.
    """
    if path != PIPE:
        yield path
        return
    with tempfile.TemporaryFile() as file:
        try:
            shutil.copyfileobj(sys.stdin.buffer, file, 1024 * 1024)
        except OSError as error:
            raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error
        yield file
