"""What every folder of tests shares."""

import pytest

from tests.interop import gobuild


def pytest_collection_finish(session: pytest.Session) -> None:
    """Go programs are built before the first test, whose time limit is meant for itself."""
    if any(item.get_closest_marker("interop") for item in session.items):
        gobuild.build_ahead()
