"""Fights over one token."""

import pytest
from visiona.relay import clones
from visiona.relay.clones import CloneWatch, same_installation


def test_t43_the_fifth_replacement_in_two_minutes_is_a_fight_and_holds() -> None:
    watch = CloneWatch(5, 120.0, 300.0)
    assert [watch.note_replacement("d1", at) for at in (0.0, 30.0, 60.0, 90.0)] == [False] * 4
    assert watch.hold_seconds("d1", 90.0) == 0
    assert watch.note_replacement("d1", 120.0)
    assert watch.hold_seconds("d1", 120.0) == 300
    assert watch.hold_seconds("d1", 419.0) == 1
    assert watch.hold_seconds("d1", 420.0) == 0
    assert watch.hold_seconds("d2", 120.0) == 0


def test_replacements_that_are_spread_out_are_no_fight() -> None:
    watch = CloneWatch(5, 120.0, 300.0)
    assert not any(watch.note_replacement("d1", 31.0 * number) for number in range(50))


def test_devices_are_watched_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clones, "MAX_DEVICES", 2)
    watch = CloneWatch(2, 120.0, 300.0)
    watch.note_replacement("d1", 0.0)
    watch.note_replacement("d2", 0.0)
    watch.note_replacement("d3", 0.0)
    assert not watch.note_replacement("d1", 1.0)
    assert watch.note_replacement("d3", 1.0)


@pytest.mark.parametrize(
    ("mine", "my_address", "theirs", "their_address", "same"),
    [
        ("i1", "192.0.2.1", "i1", "192.0.2.2", True),
        ("i1", "192.0.2.1", "i2", "192.0.2.1", False),
        (None, "192.0.2.1", None, "192.0.2.1", True),
        (None, "192.0.2.1", None, "192.0.2.2", False),
        ("i1", "192.0.2.1", None, "192.0.2.1", True),
        (None, "192.0.2.1", "i1", "192.0.2.2", False),
    ],
)
def test_installations_are_told_apart_by_instance_and_else_by_address(
    mine: str | None, my_address: str, theirs: str | None, their_address: str, same: bool
) -> None:
    assert same_installation(mine, my_address, theirs, their_address) is same
