import pytest
from visiona.stores.errors import SchemaMismatch
from visiona.stores.sql.migrate import Applied, Migration, known_migrations, status_of, steps_to_undo

ONE, TWO, THREE = (Migration(number, f"step_{number}", f"SELECT {number};") for number in (1, 2, 3))


def ran(step: Migration) -> Applied:
    return Applied(step.number, step.name, step.digest)


def test_the_embedded_steps_are_numbered_without_a_gap() -> None:
    steps = known_migrations()
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert len({step.name for step in steps}) == len(steps)


def test_what_did_not_run_is_pending_in_its_order() -> None:
    assert status_of((ONE, TWO, THREE), [ran(ONE)]).pending == (TWO, THREE)
    assert status_of((ONE,), [ran(ONE)]).pending == ()
    assert status_of((ONE,), []).pending == (ONE,)


def test_s01_a_step_from_the_future_is_refused() -> None:
    with pytest.raises(SchemaMismatch, match=r"newer visiona.*0003.*down --to 2`"):
        status_of((ONE, TWO), [ran(ONE), ran(TWO), ran(THREE)])


def test_an_edited_step_is_refused() -> None:
    edited = Migration(1, ONE.name, ONE.text + " ")
    with pytest.raises(SchemaMismatch, match=r"0001 \(step_1\)"):
        status_of((edited, TWO), [ran(ONE)])


def test_a_hole_is_refused() -> None:
    with pytest.raises(SchemaMismatch, match="lacks a step"):
        status_of((ONE, TWO, THREE), [ran(ONE), ran(THREE)])


def test_every_embedded_step_has_a_way_back_and_says_what_it_loses() -> None:
    for step in known_migrations():
        assert step.undo is not None
        assert step.loss != "what it brought"


def test_steps_are_undone_from_the_newest() -> None:
    back = [Migration(step.number, step.name, step.text, "SELECT 1;") for step in (ONE, TWO, THREE)]
    found = status_of(back, [ran(ONE), ran(TWO)])
    assert steps_to_undo(back, found, 0) == (back[1], back[0])
    assert steps_to_undo(back, found, 1) == (back[1],)
    assert steps_to_undo(back, found, 2) == ()
    with pytest.raises(SchemaMismatch, match=r"0001 \(step_1\) cannot be undone"):
        steps_to_undo((ONE, *back[1:]), found, 0)


def test_the_way_back_is_no_part_of_the_digest() -> None:
    assert Migration(1, "one", "a", "b").digest == Migration(1, "one", "a").digest
