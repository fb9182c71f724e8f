"""S-01: the built-in provider while the database is away; nothing is used up that was good for one time."""

from pathlib import Path

import httpx
import pytest

from tests.support.away import DRIVERS_TEXT, RETRY_AFTER_SECONDS, AwayStores
from tests.web.idp.rig import PASSWORD, Rig, told


@pytest.fixture
def stores() -> AwayStores:
    return AwayStores()


@pytest.fixture
def rig(tmp_path: Path, stores: AwayStores) -> Rig:
    return Rig(tmp_path / "keys.json", stores=stores)


def must_be_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
    assert DRIVERS_TEXT not in answer.text


async def test_s01_a_password_cannot_be_looked_at_and_the_form_is_good_afterwards(
    rig: Rig, stores: AwayStores
) -> None:
    await rig.person()
    browser = rig.browser()
    form = await browser.get(rig.authorize_url())
    stores.database_is_away = True
    must_be_unavailable(await browser.submit(form, email="ada@example.com", password=PASSWORD))
    stores.database_is_away = False
    assert "code" in told(await browser.submit(form, email="ada@example.com", password=PASSWORD))


async def test_s01_a_code_is_still_good_after_the_outage(rig: Rig, stores: AwayStores) -> None:
    await rig.person()
    code = await rig.code()
    stores.database_is_away = True
    must_be_unavailable(await rig.exchange(code))
    stores.database_is_away = False
    answer = await rig.exchange(code)
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    async with httpx.AsyncClient(transport=rig.transport, headers=headers) as client:
        stores.database_is_away = True
        for ask in (client.get, client.post):
            must_be_unavailable(await ask(f"{rig.issuer}/userinfo"))
        stores.database_is_away = False
        assert (await client.get(f"{rig.issuer}/userinfo")).json()["email"] == "ada@example.com"
