import pytest

from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def ada(visiona: Run) -> None:
    assert visiona("user", "add", "ada@example.com", "--password-stdin", stdin="correct horse").code == 0


def test_a_token_is_made_for_a_script_to_take(visiona: Run) -> None:
    made = visiona("token", "create", "--user", "ada@example.com", "--name", "ci")
    assert made.out.startswith("vAp_")
    assert len(made.out) == 69
    assert "shown once" in made.err


def test_json_has_the_token_and_what_it_may_do(visiona: Run) -> None:
    made = visiona(
        "token", "create", "--user", "ada@example.com", "--name", "ci", "--json",
        "--scope", "devices:read,pairing", "--scope", "account", "--ttl", "12h",
    ).json  # fmt: skip
    assert made["token"].startswith("vAp_")
    assert made["scopes"] == ["account", "devices:read", "pairing"]
    assert made["expires_at"] is not None
    for_ever = visiona(
        "token", "create", "--user", "ada@example.com", "--name", "x", "--ttl", "none", "--json"
    ).json
    assert for_ever["expires_at"] is None


def test_p08_the_list_never_holds_a_token(visiona: Run) -> None:
    made = visiona("token", "create", "--user", "ada@example.com", "--name", "ci", "--json").json
    for arguments in (("token", "list"), ("token", "list", "--user", "ada@example.com", "--json")):
        listed = visiona(*arguments)
        assert made["token"][:12] in listed.out
        assert made["token"][12:] not in listed.out
    assert visiona("token", "revoke", made["id"]).out == "the token is revoked\n"
    assert visiona("token", "revoke", made["id"]).out == "the token was revoked already\n"
    assert visiona("token", "list", "--json").json[0]["revoked_at"] is not None


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--user", "nobody@example.com", "--name", "x"), 4),
        (("--user", "ada@example.com", "--name", ""), 2),
        (("--user", "ada@example.com", "--name", "x", "--ttl", "soon"), 2),
        (("--user", "ada@example.com", "--name", "x", "--ttl", "0d"), 2),
        (("--user", "ada@example.com", "--name", "x", "--ttl", "99999w"), 2),
        (("--user", "ada@example.com", "--name", "x", "--scope", "all"), 2),
        (("--user", "ada@example.com", "--name", "x", "--scope", ""), 2),
        (("--user", "ada@example.com", "--name", "x", "--scope", " ,"), 2),
    ],
)
def test_mistakes_are_sentences(visiona: Run, options: tuple[str, ...], code: int) -> None:
    refused = visiona("token", "create", *options)
    assert (refused.code, refused.out) == (code, "")


def test_an_unknown_id_is_4(visiona: Run) -> None:
    assert visiona("token", "revoke", "x").code == 4
