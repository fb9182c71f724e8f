import argparse
import json

import pytest
from visiona.cli.output import CommandError, Exit
from visiona.cli.workspace_asking import id_of, print_all, print_one

AN_ID = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"


@pytest.mark.parametrize("text", ["", "x", "..", f"{AN_ID}/members", AN_ID.upper()])
def test_what_is_no_id_becomes_no_part_of_a_path(text: str) -> None:
    assert id_of(AN_ID, "device") == AN_ID
    with pytest.raises(CommandError) as caught:
        id_of(text, "device")
    assert caught.value.exit_code == Exit.NOT_FOUND


def test_what_is_printed_is_a_table_a_sentence_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    plain, as_json = argparse.Namespace(json=False), argparse.Namespace(json=True)
    print_all(plain, [{"a": 1}], ["a"], [[1]], "none")
    print_all(plain, [], ["a"], [], "none")
    print_one(plain, {"a": 1}, "done")
    assert capsys.readouterr().out == "A\n1\nnone\ndone\n"
    print_all(as_json, [{"a": 1}], ["a"], [[1]], "none")
    assert json.loads(capsys.readouterr().out) == [{"a": 1}]
    print_one(as_json, {"a": 1}, "done")
    assert json.loads(capsys.readouterr().out) == {"a": 1}
