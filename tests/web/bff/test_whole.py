from visiona.domain.notices import NoticeKind

from tests.web.bff.rig import opened


async def test_a_person_sees_where_they_are_signed_in() -> None:
    async with opened() as house:
        here, there = house.browser(), house.browser()
        await there.sign_in()
        house.now.forward(minutes=1)
        await here.sign_in()
        first, second = (await here.fetch("GET", "/api/auth/sessions")).data["items"]
        assert (first["current"], second["current"]) == (True, False)
        assert first["user_agent"] == "Visitor/1.0"
        listed = (await here.fetch("GET", "/api/auth/sessions")).body.decode()
        assert here.cookies["__Host-visiona_session"][:43] not in listed


async def test_and_ends_it_there() -> None:
    async with opened() as house:
        here, there = house.browser(), house.browser()
        await there.sign_in()
        await here.sign_in()
        items = (await here.fetch("GET", "/api/auth/sessions")).data["items"]
        other = next(item["id"] for item in items if not item["current"])
        assert (await here.fetch("DELETE", f"/api/auth/sessions/{other}")).status == 204
        assert not await there.is_signed_in()
        assert await here.is_signed_in()
        assert [notice.kind for notice in house.revoking.noted] == [NoticeKind.SESSION_ENDED]
        assert (await here.fetch("DELETE", f"/api/auth/sessions/{other}")).status == 404


async def test_h08_somebody_elses_session_is_as_one_that_does_not_exist() -> None:
    async with opened() as house:
        ada, grace = house.browser(), house.browser()
        await ada.sign_in()
        house.idp.subject, house.idp.email = "grace", "grace@example.com"
        await grace.sign_in()
        (item,) = (await ada.fetch("GET", "/api/auth/sessions")).data["items"]
        answers = [
            await grace.fetch("DELETE", f"/api/auth/sessions/{session_id}")
            for session_id in (item["id"], "0194f1f0-0000-7000-8000-000000000000", "x", item["id"].upper())
        ]
        assert [answer.status for answer in answers] == [404] * 4
        assert len({answer.json["error"]["message"] for answer in answers}) == 1
        assert await ada.is_signed_in()


async def test_a13_sessions_end_unused_after_eight_hours_and_used_after_a_day() -> None:
    async with opened() as house:
        idle, busy = house.browser(), house.browser()
        await idle.sign_in()
        await busy.sign_in()
        for _ in range(23):
            house.now.forward(minutes=60)
            assert await busy.is_signed_in()
        assert not await idle.is_signed_in()
        house.now.forward(minutes=60)
        assert not await busy.is_signed_in()
