from tests.web.world import World


async def test_me_says_who_the_token_belongs_to() -> None:
    world = World()
    ada = await world.person()
    me = (await ada.ask("GET", "/api/auth/me")).data
    assert (me["sub"], me["email"], me["name"]) == (ada.user_id, "ada@example.com", "ada")
    assert [(space["role"], space["id"]) for space in me["workspaces"]] == [
        ("owner", me["personal_workspace_id"])
    ]
    assert "devices:read" in me["scopes"]
    assert me["expires_at"] == "2026-04-02T03:04:05Z"


async def test_the_kept_forms_are_answered_with_a_polite_no() -> None:
    world = World()
    login = await world.ask("POST", "/api/auth/login", json={"email": "x", "password": "y"})
    assert (login.status, login.code) == (410, "NOT_IMPLEMENTED")
    # It names no path, so that it stays true whichever ways in there are.
    assert "/api/" not in login.json["error"]["message"]
    register = await world.ask("POST", "/api/auth/register")
    assert (register.status, register.code) == (501, "NOT_IMPLEMENTED")


async def test_the_personal_workspace_is_listed() -> None:
    world = World()
    ada = await world.person()
    spaces = (await ada.ask("GET", "/api/workspaces")).data
    assert spaces["next_cursor"] is None
    assert [(space["role"], space["personal"]) for space in spaces["items"]] == [("owner", True)]
