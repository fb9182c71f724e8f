from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from visiona.integrations.mail.faults import MailFault
from visiona.integrations.mail.letters import Letter
from visiona.integrations.mail.outbox import Outbox
from visiona.services.invitations import NewInvitation
from visiona.web.invitation_mail import contained, letter
from visiona.web.settings import WebSettings

from tests.support.nouns import Home, a_user, a_workspace
from tests.web.world import Answer, Person, World

LINK = "https://v.example/invitation#vAi_" + "0" * 64


class Post:
    """Where mails end up."""

    def __init__(self, *faults: MailFault) -> None:
        self.letters: list[Letter] = []
        self.faults = list(faults)

    async def deliver(self, letter: Letter) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.letters.append(letter)


async def a_world(nursery: trio.Nursery, post: Post, **how: Any) -> World:
    outbox = Outbox(post.deliver)
    await nursery.start(outbox.run)
    return World(outbox=outbox, settings=WebSettings(public_url="https://v.example"), **how)


async def invited(person: Person, lab: str, email: str = "bob@example.com", **options: Any) -> Answer:
    wish = {"email": email, **options.pop("wish", {})}
    return await person.ask("POST", f"/api/workspaces/{lab}/members", json=wish, **options)


async def lab_of(person: Person, name: str = "Lab") -> str:
    made = await person.ask("POST", "/api/workspaces", json={"name": name})
    workspace_id: str = made.data["id"]
    return workspace_id


async def test_an_invitation_is_mailed_and_its_list_says_so(nursery: trio.Nursery) -> None:
    post = Post()
    world = await a_world(nursery, post)
    ada = await world.person()
    lab = await lab_of(ada)
    asked = await invited(ada, lab)
    assert (asked.status, asked.data["mail"]) == (201, "queued")
    await trio.testing.wait_all_tasks_blocked()
    (sent,) = post.letters
    assert (sent.to, sent.subject) == ("bob@example.com", "You are invited to the workspace “Lab”")
    assert asked.data["link"].startswith("https://v.example/invitation#vAi_")
    assert asked.data["link"] in sent.text
    assert f'<a href="{asked.data["link"]}">' in sent.html
    (listed,) = (await ada.ask("GET", f"/api/workspaces/{lab}/invitations")).data["items"]
    assert (listed["mail"], "mail_fault" in listed) == ("sent", False)


async def test_without_a_mail_server_it_is_as_it_was() -> None:
    world = World()
    ada = await world.person()
    lab = await lab_of(ada)
    assert (await invited(ada, lab)).data["mail"] == "off"
    assert "mail" not in (await ada.ask("GET", f"/api/workspaces/{lab}/invitations")).data["items"][0]


async def test_a_mail_that_is_not_taken_leaves_the_invitation_and_a_sentence(nursery: trio.Nursery) -> None:
    refused = MailFault("mail.example:25 refuses the address (550)", is_lasting=True, of_address=True)
    world = await a_world(nursery, Post(refused))
    ada, bob = await world.person(), await world.person("bob@example.com")
    lab = await lab_of(ada)
    asked = await invited(ada, lab)
    await trio.testing.wait_all_tasks_blocked()
    (listed,) = (await ada.ask("GET", f"/api/workspaces/{lab}/invitations")).data["items"]
    assert listed["mail"] == "failed"
    assert listed["mail_fault"] == "the mail server does not take mail for this address"
    joined = await bob.ask("POST", "/api/invitations/accept", json={"token": asked.data["token"]})
    assert joined.status == 200


@pytest.mark.parametrize(
    ("header", "wish", "subject"),
    [
        (None, {}, "You are invited to the workspace “Lab”"),
        ("zh-TW,zh;q=0.9,en;q=0.8", {}, "邀請您加入工作區「Lab」"),
        ("zh-CN", {}, "邀请您加入工作区“Lab”"),
        ("fr", {}, "You are invited to the workspace “Lab”"),
        ("zh-CN", {"language": "zh-TW"}, "邀請您加入工作區「Lab」"),
    ],
)
async def test_it_speaks_as_whoever_invites_reads_or_as_asked_for(
    nursery: trio.Nursery, header: str | None, wish: dict[str, str], subject: str
) -> None:
    post = Post()
    world = await a_world(nursery, post)
    ada = await world.person()
    headers = {"Accept-Language": header} if header else {}
    await invited(ada, await lab_of(ada), wish=wish, headers=headers)
    await trio.testing.wait_all_tasks_blocked()
    assert post.letters[0].subject == subject


async def test_another_language_is_refused_before_anybody_is_invited(nursery: trio.Nursery) -> None:
    world = await a_world(nursery, Post())
    ada = await world.person()
    lab = await lab_of(ada)
    assert (await invited(ada, lab, wish={"language": "tlh"})).status == 400
    assert (await ada.ask("GET", f"/api/workspaces/{lab}/invitations")).data["items"] == []


async def test_the_link_is_not_made_of_what_the_request_says(nursery: trio.Nursery) -> None:
    post = Post()
    world = await a_world(nursery, post)
    ada = await world.person()
    lab = await lab_of(ada)
    for headers in ({"X-Forwarded-Host": "evil.example"}, {"Host": "localhost"}, {"Forwarded": "host=evil"}):
        await invited(ada, lab, f"bob{len(post.letters)}@example.com", headers=headers)
        await trio.testing.wait_all_tasks_blocked()
    assert len(post.letters) == 3
    assert all("https://v.example/invitation#" in each.text for each in post.letters)
    assert "evil" not in "".join(each.text for each in post.letters)


async def test_mails_are_limited_per_person_and_address_and_invitations_are_not(
    nursery: trio.Nursery,
) -> None:
    post = Post()
    world = await a_world(nursery, post, rate_limits=True)
    ada = await world.person()
    lab = await lab_of(ada)
    again = [(await invited(ada, lab)).data for _ in range(5)]
    assert [each["mail"] for each in again] == ["queued"] * 3 + ["limited"] * 2
    assert "send the link yourself" in again[-1]["mail_fault"]
    # Also from other workspaces of others.
    eve = await world.person("eve@example.com")
    assert (await invited(eve, await lab_of(eve))).data["mail"] == "limited"
    more = [(await invited(ada, lab, f"bob{number}@example.com")).data["mail"] for number in range(18)]
    assert more == ["queued"] * 17 + ["limited"]
    await trio.testing.wait_all_tasks_blocked()
    assert len(post.letters) == 20


async def test_an_error_of_ours_in_a_mail_ends_that_mail_and_nothing_else(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post()

    async def deliver(letter: Letter) -> None:
        if letter.to.startswith("odd"):
            raise RuntimeError("a bug")
        await post.deliver(letter)

    outbox = Outbox(contained(deliver))
    await nursery.start(outbox.run)
    world = World(outbox=outbox, settings=WebSettings(public_url="https://v.example"))
    ada = await world.person()
    lab = await lab_of(ada)
    post.faults.append(MailFault("refused", is_lasting=True))
    for email in ("odd@example.com", "refused@example.com", "bob@example.com"):
        assert (await invited(ada, lab, email)).data["mail"] == "queued"
        await trio.testing.wait_all_tasks_blocked()
    items = (await ada.ask("GET", f"/api/workspaces/{lab}/invitations")).data["items"]
    assert {each["email"].partition("@")[0]: each["mail"] for each in items} == {
        "odd": "failed",
        "refused": "failed",
        "bob": "sent",
    }
    assert [each.to for each in post.letters] == ["bob@example.com"]
    assert "a bug" in caplog.text


@pytest.fixture
def made() -> tuple[Home, NewInvitation]:
    ada = a_user()
    home = Home(ada, a_workspace(ada.id, name="Lab"))
    return home, NewInvitation(home.invitation("bob@example.com"), LINK.partition("#")[2], home.workspace)


def named(made: tuple[Home, NewInvitation], workspace: str, person: str) -> Letter:
    home, invitation = made
    other = replace(invitation, workspace=replace(home.workspace, name=workspace))
    return letter(replace(home.actor, name=person), other, LINK, "en")


@pytest.mark.parametrize(
    "name",
    ["win at evil.example", "https://evil", "www evil", "evil/x", "prize@evil", "ｅｖｉｌ.example", "//evil"],
)
def test_a_name_that_could_be_taken_for_a_link_is_left_out(
    made: tuple[Home, NewInvitation], name: str
) -> None:
    for sent in (named(made, name, "Ada"), named(made, "Lab", name)):
        for text in (sent.subject, sent.text, sent.html):
            assert name not in text
    assert "invites you to a workspace on" in named(made, name, "Ada").text
    assert "\n\nada@example.com invites" in "\n\n" + named(made, "Lab", name).text


def test_names_are_text_and_nothing_else(made: tuple[Home, NewInvitation]) -> None:
    sent = named(made, "<b>{link}</b>{0}", "A\"d'a {email}")
    assert "<b>" not in sent.html
    assert "&lt;b&gt;" not in sent.html  # It has a slash, and is left out.
    assert sent.text.count(LINK) == 1
    plain = named(made, "R&D {link} <x>", "Ada {who}")
    assert "R&amp;D {link} &lt;x&gt;" in plain.html
    assert "R&D {link} <x>" in plain.subject
    assert plain.text.count(LINK) == 1


@pytest.mark.parametrize("language", ["en", "zh-TW", "zh-CN"])
def test_each_language_says_all_of_it(made: tuple[Home, NewInvitation], language: str) -> None:
    home, invitation = made
    sent = letter(home.actor, invitation, LINK, language)
    for text in (sent.text, sent.html):
        for fact in ("bob@example.com", "Lab", LINK, "ada@example.com", "2030-01-08"):
            assert fact in text
        assert "{" not in text
    assert f'lang="{language}"' in sent.html
