"""The parser every command and verb has: the options that all share may stand before or behind any of them."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from visiona.ops.scrub import mask_secrets


class CommandParser(argparse.ArgumentParser):
    """A parser with `--config`, `--set` and `--json`.

    Args:
        assignments: takes every `--set`, wherever it stood; argparse would keep those of the innermost parser only.
        options: of `argparse.ArgumentParser`.
    """

    def __init__(self, assignments: list[str], **options: Any) -> None:  # noqa: ANN401 - argparse's
        # "resolve": a command may have an option of the same name that means more.
        super().__init__(conflict_handler="resolve", **options)
        self._assignments = assignments
        # No defaults: an option given further out must survive the inner parser.
        self.add_argument(
            "--config",
            metavar="FILE",
            type=Path,
            default=argparse.SUPPRESS,
            help="configuration file ($VISIONA_CONFIG)",
        )
        self.add_argument(
            "--set",
            metavar="KEY=VALUE",
            type=self._assigned,
            default=argparse.SUPPRESS,
            help="one setting, such as web.listen=127.0.0.1:0; again for more",
        )
        self.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="write JSON")

    def add_subparsers(self, **options: Any) -> Any:  # noqa: ANN401 - argparse's own signature
        """As argparse's, of this class."""
        options.setdefault("parser_class", partial(CommandParser, self._assignments))
        return super().add_subparsers(**options)

    def error(self, message: str) -> NoReturn:
        """As argparse's; what was typed is repeated in it, and may have been a token."""
        super().error(mask_secrets(message))

    def _assigned(self, text: str) -> str:
        self._assignments.append(text)
        return text
