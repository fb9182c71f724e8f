"""The console's own SHA-256, at the borders of its blocks and however the pieces are cut."""

import hashlib

import pytest

from tests.browser.conftest import Opened

LENGTHS = (0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 129, 1000, 100_003)

DIGEST = """async ([address, length, piece]) => {
  const { Sha256 } = await import(address);
  const bytes = Uint8Array.from({ length }, (_, place) => (place * 7) % 256);
  const digest = new Sha256();
  for (let at = 0; at < length; at += piece) digest.update(bytes.subarray(at, at + piece));
  return digest.end();
}"""


@pytest.mark.parametrize("piece", [13, 64, 200_000])
def test_the_digest_is_the_one_that_others_compute(opened: Opened, piece: int) -> None:
    console = opened()
    console.open("/models")
    address = console.page.locator("link[href$='/sha256.js']").evaluate("(link) => link.href")
    for length in LENGTHS:
        content = bytes(place * 7 % 256 for place in range(length))
        found = console.page.evaluate(DIGEST, [address, length, piece])
        assert found == hashlib.sha256(content).hexdigest(), length
