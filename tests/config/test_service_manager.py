import pytest
from visiona.config.service_manager import ServiceManager, read_service_manager, service_manager


def test_what_the_manager_said_is_read() -> None:
    environ = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}
    assert read_service_manager(environ, 7) == ServiceManager("/run/notify", 30_000_000)


def test_without_a_manager_there_is_nothing() -> None:
    assert read_service_manager({}, 7) == ServiceManager(None, None)


def test_a_watchdog_of_another_process_is_not_ours() -> None:
    assert read_service_manager({"WATCHDOG_USEC": "5", "WATCHDOG_PID": "8"}, 7).watchdog_usec is None


@pytest.mark.parametrize("text", ["", "0", "-5", "soon", "٣"])
def test_a_senseless_watchdog_is_none(text: str) -> None:
    assert read_service_manager({"WATCHDOG_USEC": text}, 7).watchdog_usec is None


def test_this_process_reads_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "@here")
    assert service_manager().notify_socket == "@here"
