from tests.web.world import World


async def test_alive_is_not_ready() -> None:
    world = World()
    assert (await world.ask("GET", "/livez")).json == {"status": "ok"}
    for path in ("/readyz", "/healthz"):
        answer = await world.ask("GET", path)
        assert (answer.status, answer.json["status"]) == (503, "unavailable")


async def test_ready_names_the_store_that_fails_and_no_reason() -> None:
    world = World()
    world.board.report("database", ok=True)
    answer = await world.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ok", "checks": {"database": "ok"}})
    world.board.report("database", ok=False, why="disk /dev/secret is full")
    answer = await world.ask("GET", "/readyz")
    assert (answer.status, answer.json["failing"]) == (503, ["database"])
    assert b"secret" not in answer.body
    ada = await world.person()
    detailed = (await ada.ask("GET", "/api/system/health")).data
    assert detailed["checks"]["database"]["why"] == "disk /dev/secret is full"


async def test_s02_what_is_to_be_said_of_a_store_that_is_well_is_said_to_people_alone() -> None:
    world = World()
    world.board.report("redis", ok=True, why="it may drop sessions")
    world.board.report("tunnels", ok=True, why="3 connected", vital=False)
    assert b"drop" not in (await world.ask("GET", "/readyz")).body
    checks = (await (await world.person()).ask("GET", "/api/system/health")).data["checks"]
    assert checks["redis"]["why"] == "it may drop sessions"
    assert "why" not in checks["tunnels"]


async def test_s06_draining_is_not_ready() -> None:
    world = World()
    world.board.report("database", ok=True)
    world.board.drain()
    answer = await world.ask("GET", "/healthz")
    assert (answer.status, answer.json["status"]) == (503, "draining")


async def test_h08_what_is_said_of_the_system_counts_nobody_elses_devices() -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    for owner in (ada, bob, bob):
        await world.connected(await world.paired(owner))
    world.board.report("tunnels", ok=True, why="3 connected", vital=False)
    info = (await ada.ask("GET", "/api/system/info")).data
    assert (set(info), info["tunnels"]) == ({"name", "version", "uptime_seconds", "tunnels"}, 1)
    assert "3 connected" not in str((await ada.ask("GET", "/api/system/health")).data)
