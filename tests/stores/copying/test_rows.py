import pytest
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.rows import Digest, Digesting, from_lines, to_lines
from visiona.stores.copying.tables import Kind

from tests.stores.copying.sample import HARD_TEXTS

GOOD = b'["a",1,true,["b"]]\n'
KINDS = (Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN, Kind.TEXTS)


def test_a_row_comes_back_as_it_was() -> None:
    for text in HARD_TEXTS:
        row = [text, -(2**63), True, list(HARD_TEXTS)]
        line = to_lines([row])
        assert line.count(b"\n") == 1
        assert from_lines([line, line], KINDS) == [row, row]
    assert from_lines([to_lines([(None,) * 4])], KINDS) == [[None] * 4]


def test_one_and_true_are_not_the_same() -> None:
    assert to_lines([[1]]) != to_lines([[True]])


@pytest.mark.parametrize(
    "line",
    [
        b"{}\n",
        b"[1,2]\n",
        b"[",
        b"[" * 100_000,
        b'["a",1,true,["b"],1]\n',
        b'[1,1,true,["b"]]\n',
        b'["a","1",true,["b"]]\n',
        b'["a",1.0,true,["b"]]\n',
        b'["a",true,true,["b"]]\n',
        b'["a",9223372036854775808,true,["b"]]\n',
        b'["a",1,1,["b"]]\n',
        b'["a",1,true,"b"]\n',
        b'["a",-9223372036854775809,true,["b"]]\n',
        b'["a",1,true,[null]]\n',
        b'["a",1,true,["b"]],\n',
        b'["a",1,true,[1]]\n',
        b"\xff\n",
    ],
)
def test_what_is_no_row_of_the_table_is_refused(line: bytes) -> None:
    with pytest.raises(CopyRefused) as caught:
        from_lines([GOOD, line], KINDS)
    assert caught.value.code == "BACKUP_DAMAGED"


def test_a_digest_tells_rows_and_their_order_apart() -> None:
    def digest(*batches: list[list[str]]) -> Digest:
        digesting = Digesting()
        for rows in batches:
            digesting.add(to_lines(rows), len(rows))
        return digesting.so_far()

    whole = digest([["a"], ["b"]])
    assert whole == digest([["a"]], [["b"]])
    assert whole.rows == 2
    assert whole != digest([["b"], ["a"]])
    assert whole != digest([["a"]])
