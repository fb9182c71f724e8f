import csv
import io
import json
import os

import pytest

from tests.cli.conftest import Run

PASSWORD = "correct horse battery"


@pytest.fixture
def visiona_with_deeds(visiona: Run) -> Run:
    for email in ("ada@example.com", "bob@example.com"):
        assert visiona("user", "add", email, "--password-stdin", stdin=PASSWORD).code == 0
    assert visiona("token", "create", "--user", "ada@example.com", "--name", "=1+1").code == 0
    assert visiona("user", "disable", "bob@example.com").code == 0
    return visiona


def test_what_the_operator_did_is_on_record(visiona_with_deeds: Run) -> None:
    entries = visiona_with_deeds("audit", "list", "--json").json
    assert [entry["deed"] for entry in entries] == [
        "user_disabled",
        "token_created",
        "user_created",
        "user_created",
    ]
    assert {entry["through"] for entry in entries} == {"cli"}
    assert {entry["credential_id"] for entry in entries} == {f"uid {os.getuid()}"}
    assert entries[1]["details"]["owner"] == "ada@example.com"


def test_it_is_shown_to_people_too(visiona_with_deeds: Run) -> None:
    heading, newest, *_ = visiona_with_deeds("audit", "list").out.splitlines()
    assert heading.split() == ["AT", "DEED", "WHO", "FROM", "WHAT", "DETAILS"]
    assert newest.split()[2:4] == ["user_disabled", "cli"]


def test_filters_narrow_it(visiona_with_deeds: Run) -> None:
    run = visiona_with_deeds
    made = run("audit", "list", "--deed", "user_created", "--json").json
    assert len(made) == 2
    assert run("audit", "list", "--subject", made[0]["subject"], "--json").json[-1] == made[0]
    assert run("audit", "list", "--until", "2020-01-01", "--json").json == []
    assert len(run("audit", "list", "--since", "2020-01-01T00:00:00+02:00", "--json").json) == 4
    assert len(run("audit", "list", "--limit", "1", "--json").json) == 1
    # She did nothing herself yet.
    assert run("audit", "list", "--user", "ada@example.com").out == "nothing is in the audit log\n"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--deed", "baking"), 2),
        (("--since", "yesterday"), 2),
        (("--since", "2026-01-02T03:04:05"), 2),
        (("--limit", "0"), 2),
        (("--user", "nobody@example.com"), 4),
    ],
)
def test_mistakes_are_sentences(visiona: Run, options: tuple[str, ...], code: int) -> None:
    assert visiona("audit", "list", *options).code == code


def test_it_is_exported_whole(visiona_with_deeds: Run) -> None:
    lines = visiona_with_deeds("audit", "export").out.splitlines()
    assert [json.loads(line)["deed"] for line in lines][:2] == ["audit_exported", "user_disabled"]
    table = visiona_with_deeds("audit", "export", "--format", "csv", "--deed", "token_created").out
    (row,) = csv.DictReader(io.StringIO(table))
    assert row["details"].startswith("name==1+1; ")


def test_no_secret_is_in_it(visiona_with_deeds: Run) -> None:
    text = visiona_with_deeds("token", "create", "--user", "ada@example.com", "--name", "x").out.strip()
    link = visiona_with_deeds("user", "link", "ada@example.com", "--url", "http://x").out.strip()
    out = visiona_with_deeds("audit", "export").out
    assert "link_created" in out
    for secret in (text, text[12:], link.rpartition("/")[2], PASSWORD):
        assert secret not in out
