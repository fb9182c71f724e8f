"""Asking a person once more before something is lost."""

import sys

from visiona.cli.output import CommandError, Exit


def confirm(loss: str, word: str) -> None:
    """Goes on only if the word is typed.

    Args:
        loss: what will be lost, a sentence without its full stop.
        word: what is to be typed.

    Raises:
        CommandError: it was not, or nobody can be asked.
    """
    if not sys.stdin.isatty():
        raise CommandError(f"{loss}: add --yes where nobody can be asked", code="USAGE", exit_code=Exit.USAGE)
    print(f"{loss}. Type {word} to go on: ", end="")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != word:
        raise CommandError("not confirmed; nothing was changed", code="NOT_CONFIRMED")
