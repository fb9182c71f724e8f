"""Records the traces anew: `python -m tests.interop.record_traces`, where Go is.

Needed only when a scenario changes. The bytes differ from one recording to the next (two goroutines race), the replay
does not mind.
"""

from tests.interop.gobuild import GENERATIONS
from tests.interop.programs import go_program
from tests.interop.traces import TRACES

if __name__ == "__main__":
    TRACES.mkdir(exist_ok=True)
    for generation in GENERATIONS:
        with go_program("record", generation, into=TRACES) as recorder:
            if code := recorder.process.wait(120):
                raise SystemExit(f"the recorder ended with {code}: {recorder.complaints}")
    print(f"{sum(file.stat().st_size for file in TRACES.glob('*.json'))} bytes in {TRACES}")  # noqa: T201 - a program
