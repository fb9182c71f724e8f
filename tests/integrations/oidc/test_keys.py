from typing import Any

import pytest
import trio
from joserfc.jwk import ECKey, OctKey
from trio.testing import MockClock
from visiona.integrations.interface import ProviderUnavailable
from visiona.integrations.oidc.keys import MAX_KEYS, KeyRing, keys_from

from tests.support.fake_oidc import ec_key, published, rsa_key


class Source:
    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.is_down = False

    async def __call__(self) -> Any:
        self.asked += 1
        await trio.lowlevel.checkpoint()
        if self.is_down:
            raise ProviderUnavailable("down")
        return {"keys": [published(key) for key in self.keys]}


async def test_a03_an_unknown_key_id_asks_again_at_most_once_a_minute(autojump_clock: MockClock) -> None:
    source = Source(rsa_key())
    ring = KeyRing(source)
    for _ in range(600):
        assert await ring.candidates("unknown", "RS256") == []
        await trio.sleep(0.5)
    # at once, and then in each minute of five
    assert 5 <= source.asked <= 6


async def test_a_new_key_is_found_when_a_token_names_it(autojump_clock: MockClock) -> None:
    source = Source(rsa_key())
    ring = KeyRing(source)
    assert await ring.candidates("rsa-1", "RS256")
    await trio.sleep(60)
    source.keys = [rsa_key("rsa-2")]
    assert await ring.candidates("rsa-2", "RS256")
    assert not await ring.candidates("rsa-1", "RS256")


async def test_a_key_that_was_taken_out_is_not_believed_after_an_hour(autojump_clock: MockClock) -> None:
    source = Source(rsa_key(), rsa_key("rsa-2"))
    ring = KeyRing(source)
    assert await ring.candidates("rsa-1", "RS256")
    source.keys = [rsa_key("rsa-2")]
    await trio.sleep(3600)
    assert not await ring.candidates("rsa-1", "RS256")


async def test_a09_keys_serve_on_while_the_provider_is_down(autojump_clock: MockClock) -> None:
    source = Source(rsa_key())
    ring = KeyRing(source)
    assert await ring.candidates("rsa-1", "RS256")
    source.is_down = True
    for _ in range(100):
        await trio.sleep(100)
        assert await ring.candidates("rsa-1", "RS256")
    assert source.asked < 110


async def test_without_any_keys_it_says_so_and_asks_again(autojump_clock: MockClock) -> None:
    source = Source(rsa_key())
    source.is_down = True
    ring = KeyRing(source)
    with pytest.raises(ProviderUnavailable):
        await ring.candidates("rsa-1", "RS256")
    source.is_down = False
    assert await ring.candidates("rsa-1", "RS256")


async def test_a_crowd_asks_once(autojump_clock: MockClock) -> None:
    source = Source(rsa_key())
    ring = KeyRing(source)
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(ring.candidates, "rsa-1", "RS256")
    assert source.asked == 1


def good() -> dict[str, Any]:
    return published(rsa_key())


@pytest.mark.parametrize(
    "item",
    [
        published(OctKey.generate_key(256, {"kid": "o"})),
        {**good(), "use": "enc"},
        {**good(), "key_ops": ["encrypt"]},
        {**good(), "kty": "none"},
        {**good(), "n": 7},
        {**good(), "n": "!!"},
        {**good(), "e": ""},
        {"kty": "RSA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "secret", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {**good(), "n": str(good()["n"])[:171]},  # 1024 bits
        {**good(), "n": "A" * 171 + str(good()["n"])[:171]},
        {},
        [],
        None,
        "key",
    ],
    ids=lambda item: str(item)[:40],
)
def test_a_key_of_no_use_is_left_out_and_spoils_nothing(item: Any) -> None:
    assert [key.kid for key in keys_from({"keys": [item, published(ec_key())]})] == ["ec-1"]


def test_a_private_key_in_a_public_set_is_read_as_its_public_half() -> None:
    (found,) = keys_from({"keys": [ec_key().as_dict(private=True)]})
    assert isinstance(found.key, ECKey)
    assert not found.key.is_private


def test_a_key_that_names_its_algorithm_is_for_that_one() -> None:
    (found,) = keys_from({"keys": [{**good(), "alg": "RS512"}]})
    assert found.algorithm == "RS512"


@pytest.mark.parametrize("fields", [{}, {"keys": {}}, {"keys": []}, {"keys": [{}]}, {"keys": None}], ids=str)
def test_what_is_no_key_set(fields: Any) -> None:
    with pytest.raises(ProviderUnavailable):
        keys_from(fields)


def test_a_set_of_a_hundred_thousand_keys_is_not_read_to_its_end() -> None:
    assert len(keys_from({"keys": [published(ec_key())] * 100_000})) == MAX_KEYS
