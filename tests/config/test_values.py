from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

import pytest
from visiona.config.values import NotThis, convert, is_supported, shown
from visiona.domain.listen import ListenAddress


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("kind", "text", "toml", "expected"),
    [
        (str, " a ", "a", "a"),
        (bool, "Yes", True, True),
        (bool, "0", False, False),
        (int, "1_000", 1000, 1000),
        (int, "-3", -3, -3),
        (float, "1.5", 1.5, 1.5),
        (float, "2", 2, 2.0),
        (Path, "/a/b", "/a/b", Path("/a/b")),
        (ListenAddress, ":1", ":1", ListenAddress(None, 1)),
        (str | None, "x", "x", "x"),
        (tuple[str, ...], "a, b,", ["a", "b"], ("a", "b")),
        (
            tuple[IPv4Network | IPv6Network, ...],
            "10.0.0.1/8,::1",
            ["10.0.0.0/8", "::1/128"],
            (IPv4Network("10.0.0.0/8"), IPv6Network("::1/128")),
        ),
        (Literal["full", "normal"], "full", "full", "full"),
        (Colour, "red", "red", Colour.RED),
    ],
)
def test_text_and_toml_end_in_the_same_value(kind: object, text: str, toml: object, expected: object) -> None:
    assert is_supported(kind)
    assert convert(kind, text) == expected
    assert convert(kind, toml) == expected


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (str, 3),
        (str, "a\nb"),
        (bool, "maybe"),
        (bool, 1),
        (int, "1.5"),
        (int, True),
        (int, "9" * 5000),
        (int, "٣"),
        (float, "nan"),
        (float, "inf"),
        (float, "x"),
        (float, True),
        (float, []),
        (Path, ""),
        (ListenAddress, "3721"),
        (tuple[str, ...], 3),
        (tuple[IPv4Network | IPv6Network, ...], "10.0.0.0/99"),
        (Colour, "blue"),
    ],
)
def test_what_is_not_of_the_type_is_refused_with_what_was_expected(kind: object, raw: object) -> None:
    with pytest.raises(NotThis, match="expected"):
        convert(kind, raw)


def test_an_empty_optional_is_nothing() -> None:
    assert convert(str | None, " ") is None
    assert convert(Path | None, "") is None


def test_what_no_configuration_can_hold_is_known() -> None:
    assert not is_supported(dict[str, str])
    assert not is_supported(tuple[object, ...])


def test_values_are_shown_as_people_write_them() -> None:
    assert shown(None) is None
    assert shown(ListenAddress("::", 1)) == "[::]:1"
    assert shown((IPv4Network("10.0.0.0/8"),)) == ["10.0.0.0/8"]
    assert shown(Colour.RED) == "red"
    assert shown(Path("/a")) == "/a"
    assert shown(True) is True
