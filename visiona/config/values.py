"""One value of the configuration: from text or TOML to the type a settings class declares.

A type is what the field's annotation says. The environment gives text for all of them, TOML gives what TOML has;
both must end in the same value, so that moving a line from one to the other changes nothing.
"""

import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from visiona.domain.listen import ListenAddress


class NotThis(ValueError):
    """A raw value that is not of the declared type; the message says what was expected."""


Value = object
"""What a key can be: text, number, truth, path, address, network, or a tuple of one of these."""

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def convert(kind: object, raw: object) -> Value:
    """Turns a raw value (text, or what TOML gave) into the declared type; NotThis says what was expected."""
    kind, optional = without_none(kind)
    if optional and isinstance(raw, str) and not raw.strip():
        return None
    if typing.get_origin(kind) is tuple:
        return _many(typing.get_args(kind)[0], raw)
    if (choices := _choices(kind)) is not None:
        return _choice(choices, raw)
    return _SCALARS[_scalar_name(kind)](raw)


def is_supported(kind: object) -> bool:
    """Whether a field of this type can be written in a configuration; nested settings cannot."""
    kind, _ = without_none(kind)
    if typing.get_origin(kind) is tuple:
        return is_supported(typing.get_args(kind)[0])
    return _choices(kind) is not None or _scalar_name(kind) in _SCALARS


def without_none(kind: object) -> tuple[object, bool]:
    """Splits `X | None` into X and whether None was allowed; a union of networks stays one kind."""
    if not isinstance(kind, types.UnionType) and typing.get_origin(kind) is not typing.Union:
        return kind, False
    members = typing.get_args(kind)
    real = [member for member in members if member is not types.NoneType]
    if set(real) == {IPv4Network, IPv6Network}:
        return IPv4Network, len(real) != len(members)
    return real[0], len(real) != len(members)


def shown(value: Value) -> str | int | float | bool | list[str] | None:
    """A value as people and JSON see it."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, tuple):
        return [str(shown(item)) for item in value]
    if isinstance(value, Enum):
        return str(value.value)
    return str(value)


def _scalar_name(kind: object) -> str:
    return getattr(kind, "__name__", str(kind))


def _choices(kind: object) -> Mapping[str, Value] | None:
    if typing.get_origin(kind) is typing.Literal:
        return {str(choice): choice for choice in typing.get_args(kind)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {str(member.value): member for member in kind}
    return None


def _choice(choices: Mapping[str, Value], raw: object) -> Value:
    if str(raw) not in choices:
        raise NotThis(f"expected one of {', '.join(choices)}")
    return choices[str(raw)]


def _many(kind: object, raw: object) -> tuple[Value, ...]:
    if isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    if not isinstance(raw, list):
        raise NotThis("expected a list")
    return tuple(convert(kind, item) for item in raw)


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise NotThis("expected text in quotes")
    if any(not character.isprintable() for character in raw):
        raise NotThis("expected text without control characters")
    return raw.strip()


def _truth(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.strip().lower() in _TRUE | _FALSE:
        return raw.strip().lower() in _TRUE
    raise NotThis("expected true or false")


def _integer(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    text = raw.strip().replace("_", "") if isinstance(raw, str) else ""
    if len(text) <= 20 and text.removeprefix("-").isascii() and text.removeprefix("-").isdigit():
        return int(text)
    raise NotThis("expected a whole number")


def _number(raw: object) -> float:
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        value = float(raw)
    elif isinstance(raw, str):
        try:
            value = float(raw)
        except ValueError:
            raise NotThis("expected a number") from None
    else:
        raise NotThis("expected a number")
    if value != value or value in (float("inf"), float("-inf")):
        raise NotThis("expected a finite number")
    return value


def _path(raw: object) -> Path:
    text = _text(raw)
    if not text:
        raise NotThis("expected a path")
    return Path(text)


def _listen(raw: object) -> ListenAddress:
    try:
        return ListenAddress.parse(_text(raw))
    except ValueError as error:
        raise NotThis(str(error)) from None


def _network(raw: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(_text(raw), strict=False)
    except ValueError:
        raise NotThis("expected an address or network, like 10.0.0.0/8 or ::1") from None


_SCALARS: Mapping[str, Callable[[object], Value]] = {
    "str": _text,
    "bool": _truth,
    "int": _integer,
    "float": _number,
    "Path": _path,
    "PosixPath": _path,
    "ListenAddress": _listen,
    "IPv4Network": _network,
    "IPv6Network": _network,
}
