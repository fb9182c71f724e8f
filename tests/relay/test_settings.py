"""What can be set about the relay."""

from dataclasses import replace
from pathlib import Path

import pytest
from visiona.relay.settings import RelaySettings


def test_the_defaults_are_without_fault() -> None:
    assert RelaySettings().check() == []


def test_every_fault_is_told_at_once() -> None:
    faults = RelaySettings(
        tls_key=Path("key"), public_url="relay.example", dead_seconds=5, write_seconds=0
    ).check()
    assert len(faults) == 4


@pytest.mark.parametrize(
    "broken",
    [
        {"tls_certificate": Path("cert")},
        {"public_url": "ftp://relay.example"},
        {"ping_seconds": 0},
        {"dead_seconds": 19.0},
        {"verifications": 0},
    ],
)
def test_each_fault_names_its_key(broken: dict[str, object]) -> None:
    faults = replace(RelaySettings(), **broken).check()
    assert any(next(iter(broken)) in fault for fault in faults)


def test_tunnels_are_given_their_part() -> None:
    settings = RelaySettings(ping_seconds=3, dead_seconds=9, write_seconds=4, stream_write_seconds=5)
    tunnel = settings.tunnel()
    assert (tunnel.ping_seconds, tunnel.dead_seconds) == (3, 9)
    assert (tunnel.write_seconds, tunnel.stream_write_seconds) == (4, 5)
