import pytest

from tests.cli.served import Served, served
from tests.e2e.client import Caller

__all__ = ["served"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def joined(served: Served, guest: str, lab: str, role: str = "member") -> None:
    said = served.run("ada", "invite", lab, f"{guest}@example.org", "--role", role)
    assert said.code == 0
    token = served.token_file(guest).read_text().strip()
    accepted = Caller(served.server.web, token).ask(
        "POST", "/api/invitations/accept", {"token": said.out.strip().partition("#")[2]}
    )
    assert accepted.status == 200


def test_a_link_is_on_standard_output_alone_and_what_to_do_with_it_beside(served: Served) -> None:
    served.run("ada", "create", "Lab")
    said = served.run("ada", "invite", "Lab", "bob@example.org")
    assert said.out.startswith(f"{served.server.web}/invitation#vAi_")
    assert len(said.out.splitlines()) == 1
    assert "hand the link on yourself" in said.err
    assert "vAi_" not in said.err
    (waiting,) = served.run("ada", "invitations", "Lab", "--json").json
    assert (waiting["email"], "token" in waiting) == ("bob@example.org", False)
    assert "bob@example.org" in served.run("ada", "invitations", "Lab").out
    assert served.run("ada", "withdraw", "Lab", waiting["id"]).code == 0
    assert served.run("ada", "invitations", "Lab").out == "no invitation waits\n"
    assert served.run("ada", "withdraw", "Lab", waiting["id"]).code == 4
    whole = served.run("ada", "invite", "Lab", "bob@example.org", "--language", "zh-TW", "--json").json
    assert whole["mail"] == "off"


def test_members_are_listed_changed_and_taken_out_by_their_address(served: Served) -> None:
    served.run("ada", "create", "Shop")
    joined(served, "carl", "Shop")
    listed = served.run("ada", "members", "Shop", "--json").json
    assert [(each["email"], each["role"]) for each in listed] == [
        ("ada@example.org", "owner"),
        ("carl@example.org", "member"),
    ]
    assert served.run("ada", "role", "Shop", "Carl@example.org", "admin").out.endswith(" is admin now\n")
    assert "admin" in served.run("carl", "members", "Shop").out
    gone = served.run("ada", "remove", "Shop", listed[1]["user_id"])
    assert "is out; ended pictures, streams and sockets: 0" in gone.out
    assert served.run("carl", "members", "Shop").code == 4


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("invite", "Home", "nobody"), 2, "[VALIDATION_FAILED]"),
        (("invite", "Home", "a@b.c", "--role", "owner"), 2, "invalid choice"),
        (("remove", "Home", "eve@example.org"), 4, "no such member"),
        (("role", "Home", "ada@example.org", "member"), 1, "an owner who can sign in"),
        (("remove", "Home", "ada@example.org"), 1, "[CONFLICT]"),
        (("withdraw", "Home", "x"), 4, "no such invitation"),
    ],
)
def test_a_mistake_is_a_sentence(served: Served, arguments: tuple[str, ...], code: int, says: str) -> None:
    if all(each["name"] != "Home" for each in served.run("ada", "list", "--json").json):
        served.run("ada", "create", "Home")
    said = served.run("ada", *arguments)
    assert (said.code, says in said.err) == (code, True), said.err


def test_a_plain_member_is_told_what_they_may_not(served: Served) -> None:
    served.run("ada", "create", "Yard")
    joined(served, "dora", "Yard")
    for arguments in (
        ("invite", "Yard", "x@y.z"),
        ("role", "Yard", "dora@example.org", "admin"),
        ("rm", "Yard"),
    ):
        said = served.run("dora", *arguments)
        assert (said.code, "[FORBIDDEN]" in said.err) == (1, True)
