from datetime import timedelta

from visiona.services import clock


def test_now_is_zoned() -> None:
    assert clock.now().utcoffset() == timedelta(0)
