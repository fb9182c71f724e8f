import pytest
import trio

from tests.cli.served import Served, served

__all__ = ["served"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def test_a_workspace_is_made_renamed_listed_and_deleted(served: Served) -> None:
    made = served.run("ada", "create", "Lab", "--json").json
    assert (made["name"], made["role"]) == ("Lab", "owner")
    assert served.run("ada", "rename", "Lab", "Roof").out == "it is called Roof now\n"
    table = served.run("ada", "list").out.splitlines()
    assert table[0].split() == ["ID", "NAME", "YOUR", "ROLE", "PERSONAL"]
    assert [line.split()[1:] for line in table[1:]] == [["ada", "owner", "yes"], ["Roof", "owner", "-"]]
    assert served.run("ada", "rm", made["id"]).out == "the workspace is deleted\n"
    assert [each["name"] for each in served.run("ada", "list", "--json").json] == ["ada"]


def test_a_device_moves(served: Served) -> None:
    lab, roof = [served.run("mover", "create", name, "--json").json["id"] for name in ("From", "To")]
    device_id = trio.run(served.paired, "mover", lab)
    assert served.run("mover", "rm", "From").code == 1
    assert "ended for who is not: 0" in served.run("mover", "move-device", device_id, "To").out
    moved = served.run("mover", "move-device", device_id, lab, "--json").json
    assert moved["device"]["workspace_id"] == lab
    assert served.run("mover", "rm", roof).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("rename", "Nowhere", "x"), 4, "no workspace of yours is called 'Nowhere'"),
        (("rm", "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"), 4, "[NOT_FOUND]"),
        (("create", " "), 2, "[VALIDATION_FAILED]"),
        (("move-device", "../../x", "Lab"), 4, "there is no such device"),
        (("rename", "Twice", "x"), 2, "2 of your workspaces are called 'Twice'"),
    ],
)
def test_a_mistake_is_one_sentence(served: Served, arguments: tuple[str, ...], code: int, says: str) -> None:
    while len([each for each in served.run("eve", "list", "--json").json if each["name"] == "Twice"]) < 2:
        served.run("eve", "create", "Twice")
    said = served.run("eve", *arguments)
    assert (said.code, says in said.err, said.out) == (code, True, ""), said.err
    assert len(said.err.splitlines()) == 1
