"""The keys there are, derived from the settings classes: a new field is a new key, with its environment name."""

import dataclasses
import difflib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from visiona.config.settings import NOT_KEYS, SECRETS, SECTIONS
from visiona.config.values import Value, is_supported

STATE_DIR = "state_dir"
PREFIX = "VISIONA_"


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that can be set.

    Attributes:
        name: as people write it, `web.listen`; the state directory has no section.
        kind: the declared type.
        default: what holds where nothing is said; None also for the state directory, whose default is found out.
    """

    name: str
    kind: object
    default: Value
    is_secret: bool

    @property
    def environment(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.replace(".", "_").upper()

    @property
    def credential(self) -> str:
        """Its name among systemd's credentials."""
        return self.name.replace(".", "_")


@cache
def all_keys() -> Mapping[str, Key]:
    """Every key by its name, in the order of the sections."""
    keys = [Key(STATE_DIR, Path, None, is_secret=False)]
    for section, settings_class in SECTIONS.items():
        keys.extend(_keys_of(section, settings_class))
    return {key.name: key for key in keys}


def did_you_mean(wrong: str, known: typing.Iterable[str]) -> str:
    """A hint at the nearest known spelling, as the end of a sentence; empty where nothing is near."""
    near = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _keys_of(section: str, settings_class: type) -> Iterator[Key]:
    hints = typing.get_type_hints(settings_class)
    for field in dataclasses.fields(settings_class):
        name = f"{section}.{field.name}"
        if name in NOT_KEYS:
            continue
        if not is_supported(hints[field.name]):
            if dataclasses.is_dataclass(hints[field.name]):
                continue  # limits of a lower floor, handed through; constants, not keys
            raise TypeError(f"{name} has a type that no configuration can hold")
        yield Key(name, hints[field.name], _default_of(field), is_secret=name in SECRETS)


def _default_of(field: dataclasses.Field[object]) -> Value:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None
