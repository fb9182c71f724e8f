import importlib.util
import sys

import pytest
from visiona.wire.websocket import masking


def masked_slowly(data: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 15, 16, 17, 100, 65_537])
def test_masking_is_exclusive_or_with_the_mask_over_and_over(length: int) -> None:
    data = bytes(range(256)) * 257
    assert masking.apply_mask(memoryview(data)[:length], b"\x01\x80\xfe\x7f") == masked_slowly(
        data[:length], b"\x01\x80\xfe\x7f"
    )


@pytest.mark.parametrize("count", range(9))
def test_a_turned_mask_continues_where_a_cut_payload_left_off(count: int) -> None:
    data, mask = b"abcdefghijklm", b"\x01\x02\x03\x04"
    rest = masking.apply_mask(data[count:], masking.turned(mask, count))
    assert masking.apply_mask(data[:count], mask) + rest == masking.apply_mask(data, mask)


def test_without_the_c_loop_the_python_form_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)
    spec = importlib.util.spec_from_file_location("masking_without_c", masking.__file__)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    assert plain.apply_mask is not masking.apply_mask
    assert plain.apply_mask(memoryview(b"abcde"), b"\x01\x02\x03\x04") == masked_slowly(
        b"abcde", b"\x01\x02\x03\x04"
    )
