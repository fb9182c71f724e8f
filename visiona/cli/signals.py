"""Signals at the very end: being told to stop once more does not turn a clean end into a death by signal."""

import signal


def outlive(*numbers: signal.Signals) -> None:
    """From now on these end nothing by themselves.

    For the time between the last thing that listens and the exit, in which files and the log are closed. Call it just
    before `trio.open_signal_receiver`, which puts back what it found.
    """
    for number in numbers:
        # No function of ours: Python gives those up, for death, some milliseconds before it ends.
        signal.signal(number, signal.SIG_IGN)
