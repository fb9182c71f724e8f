from visiona.web.bff.replays import MAX_REMEMBERED, Replays


def test_an_id_is_known_until_its_token_is_over() -> None:
    replays = Replays()
    assert not replays.is_known("a")
    replays.remember("a", 100.0, 0.0)
    assert replays.is_known("a")
    replays.remember("b", 300.0, 101.0)
    assert not replays.is_known("a")
    assert replays.is_known("b")


def test_a11_memory_has_a_bound() -> None:
    replays = Replays()
    for number in range(MAX_REMEMBERED + 5):
        replays.remember(str(number), 1e9, 0.0)
    assert not replays.is_known("4")
    assert replays.is_known("5")
    assert replays.is_known(str(MAX_REMEMBERED + 4))
