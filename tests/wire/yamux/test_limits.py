import dataclasses
from pathlib import Path

import pytest
import visiona.wire.yamux.limits as subject
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Limits)])
def test_each_limit_says_its_reason_right_below_it(field: str) -> None:
    lines = Path(subject.__file__).read_text().splitlines()
    declared = next(at for at, line in enumerate(lines) if line.strip().startswith(f"{field}:"))
    assert lines[declared + 1].strip().startswith('"""')


def test_the_defaults_fit_together() -> None:
    limits = Limits()
    assert limits.outbox_low_bytes < limits.outbox_high_bytes
    assert limits.initial_window_bytes == INITIAL_WINDOW_BYTES <= limits.max_window_bytes
    assert limits.max_window_bytes < limits.max_send_credit_bytes < 1 << 32
    assert limits.max_unacked_streams < 256
    assert limits.crowded_frame_bytes < limits.frame_bytes < limits.stream_queue_bytes
