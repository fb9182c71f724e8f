import io
import threading

from visiona.ops.log_writer import LineWriter


class Blocking(io.RawIOBase):
    """An output whose reader sleeps until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.text = b""

    def write(self, data: bytes) -> int:
        self.entered.set()
        assert self.let_go.wait(10)
        self.text += data
        return len(data)


class Broken(io.RawIOBase):
    def write(self, data: bytes) -> int:
        raise BrokenPipeError


def test_lines_are_written_in_order_and_closing_writes_the_rest() -> None:
    output = io.BytesIO()
    writer = LineWriter(output)
    for number in range(100):
        writer.put(f"line {number} é")
    writer.close()
    assert output.getvalue().decode().splitlines() == [f"line {number} é" for number in range(100)]
    assert writer.statistics().written == 100


def test_s08_a_reader_that_does_not_read_costs_lines_never_time() -> None:
    output = Blocking()
    writer = LineWriter(output, max_lines=10)
    writer.put("first")
    assert output.entered.wait(10)
    for number in range(25):
        writer.put(str(number))  # would hang here for ever if it waited
    assert writer.statistics().dropped == 15
    output.let_go.set()
    writer.close()
    lines = output.text.decode().splitlines()
    assert lines[:2] == ["first", "0"]
    assert lines[-1].startswith("15 log lines were dropped")


def test_s08_a_closed_pipe_is_survived_and_counted() -> None:
    writer = LineWriter(Broken())
    writer.put("lost")
    writer.close()
    assert writer.statistics().failed == 1


def test_no_output_at_all_is_survived() -> None:
    writer = LineWriter(None)
    writer.put("nobody reads this")
    writer.close()
    assert writer.statistics().queued == 0


def test_an_output_that_was_closed_is_survived() -> None:
    output = io.BytesIO()
    output.close()
    writer = LineWriter(output)
    writer.put("lost")
    writer.close()
    assert writer.statistics().failed == 1


def test_closing_twice_is_harmless() -> None:
    writer = LineWriter(io.BytesIO())
    writer.close()
    writer.close()
