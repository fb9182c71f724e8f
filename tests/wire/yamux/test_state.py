import itertools
from pathlib import Path

import pytest
from visiona.wire.errors import LocalProtocolError
from visiona.wire.yamux import state
from visiona.wire.yamux.state import TRANSITIONS, Move, StreamState, moved

EVERY_PAIR = list(itertools.product(StreamState, Move))


@pytest.mark.parametrize(("before", "move"), EVERY_PAIR)
def test_every_pair_moves_by_the_table_or_is_refused(before: StreamState, move: Move) -> None:
    if (before, move) in TRANSITIONS:
        assert moved(before, move) is TRANSITIONS[before, move]
    else:
        with pytest.raises(LocalProtocolError, match=f"{move.name}.*{before.name}"):
            moved(before, move)


@pytest.mark.parametrize("before", [one for one in StreamState if one is not StreamState.RESET])
def test_a_reset_by_either_side_ends_every_living_stream(before: StreamState) -> None:
    assert moved(before, Move.SEND_RST) is moved(before, Move.RECEIVE_RST) is StreamState.RESET


def test_nothing_leads_out_of_reset() -> None:
    assert not [pair for pair in TRANSITIONS if pair[0] is StreamState.RESET]


def test_t33_fin_of_both_sides_closes_in_either_order() -> None:
    ours_first = moved(moved(StreamState.OPEN, Move.SEND_FIN), Move.RECEIVE_FIN)
    theirs_first = moved(moved(StreamState.OPEN, Move.RECEIVE_FIN), Move.SEND_FIN)
    assert ours_first is theirs_first is StreamState.CLOSED


def test_who_may_send_is_who_may_end() -> None:
    assert set(state.MAY_SEND) == {before for before, move in TRANSITIONS if move is Move.SEND_FIN}
    assert set(state.MAY_RECEIVE) == {before for before, move in TRANSITIONS if move is Move.RECEIVE_FIN}


def test_the_drawing_in_the_spec_is_the_table() -> None:
    drawn = [
        line for line in (Path(state.__file__).parent / "SPEC.md").read_text().splitlines() if "|" in line
    ]
    for before in StreamState:
        moves = (TRANSITIONS.get((before, move)) for move in Move)
        row = " | ".join("–" if after is None else after.name for after in moves)
        assert f"| {before.name} | {row} |" in drawn
