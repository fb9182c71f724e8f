import pytest
from visiona.web.bff.place import Place


def place(public_url: str | None = None, bound: str = "http://127.0.0.1:3721") -> Place:
    return Place(public_url, lambda: bound)


def test_everything_is_made_of_the_public_url() -> None:
    here = place("https://Cam.example:443/sub/")
    assert here.base == "https://Cam.example:443/sub"
    assert here.callback_url == "https://Cam.example:443/sub/api/auth/callback"
    assert (here.home, here.home_url) == ("/sub/", "https://Cam.example:443/sub/")
    assert here.login_path == "/sub/api/auth/login"
    assert here.origin == here.own_origin == "https://cam.example"
    assert here.is_https


def test_without_one_of_what_was_bound() -> None:
    here = place()
    assert (here.base, here.home, here.is_https) == ("http://127.0.0.1:3721", "/", False)
    assert here.own_origin is None


@pytest.mark.parametrize(
    ("public_url", "host", "here"),
    [
        ("https://cam.example", "cam.example", True),
        ("https://cam.example", "CAM.example:443", True),
        ("https://cam.example", "cam.example:80", False),
        ("https://cam.example", "evil.example", False),
        ("http://cam.example:8080", "cam.example:8080", True),
        ("http://cam.example:8080", "cam.example", False),
        ("http://cam.example", None, False),
        (None, "127.0.0.1:3721", True),
        (None, "localhost:3721", False),
    ],
)
def test_whether_a_host_is_this_place(public_url: str | None, host: str | None, here: bool) -> None:
    assert place(public_url).is_here(host) is here


@pytest.mark.parametrize(
    ("public_url", "bound", "host", "sure"),
    [
        ("https://cam.example", "http://127.0.0.1:1", "evil.example", True),
        (None, "http://127.0.0.1:1", "localhost:1", True),
        (None, "http://127.0.0.1:1", "localhost", True),
        (None, "http://127.0.0.1:1", "[::1]:1", True),
        (None, "http://127.0.0.1:1", "192.168.1.5:1", False),
        (None, "http://127.0.0.1:1", "localhost.evil.example", False),
        (None, "http://127.0.0.1:1", None, False),
        (None, "http://192.168.1.5:1", "localhost:1", False),
    ],
)
def test_h05_whether_somebody_can_be_sent_there(
    public_url: str | None, bound: str, host: str | None, sure: bool
) -> None:
    assert place(public_url, bound).is_sure(host) is sure
