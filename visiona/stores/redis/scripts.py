"""The deeds that Redis does as one: Lua texts, each known to it by its digest.

A script runs whole, with nothing of anybody else's in between, so it is a transaction of one round trip. What it needs
to know of the keys stands before it: one text for each family.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import resources


@dataclass(frozen=True)
class Script:
    """One deed.

    Attributes:
        family: the text before it, which names the keys.
        name: its own text.
    """

    family: str
    name: str

    @cached_property
    def text(self) -> str:
        """What Redis runs."""
        folder = resources.files(__package__) / "lua"
        parts = [(folder / f"{name}.lua").read_text(encoding="utf-8") for name in (self.family, self.name)]
        return "\n".join(parts)

    @cached_property
    def digest(self) -> str:
        """How Redis knows it once it has seen it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
