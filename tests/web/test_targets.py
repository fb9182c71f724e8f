import pytest
from visiona.domain.errors import Invalid
from visiona.web.errors import MethodNotAllowed
from visiona.web.targets import NO_DEVICE, Target, check_form, device_target, resolved
from visiona.wire.errors import RemoteProtocolError

DEVICE = "0190d9a0-0000-7000-8000-00000000000a"


def no_header(_: bytes) -> None:
    return None


def target(line: str, **headers: str) -> Target | None:
    method, _, path = line.replace("~", f"/api/devices/{DEVICE}/proxy").partition(" ")
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return device_target(method.encode(), path.encode(), given.get)


@pytest.mark.parametrize(
    ("path", "agent_target"),
    [
        ("~/a/b?c=d", b"/a/b?c=d"),
        ("~/", b"/"),
        ("~", b"/"),
        ("~?x=1", b"/?x=1"),
        ("~/%E2%82%AC", b"/%E2%82%AC"),
        ("~/api/devices", b"/api/devices"),
        ("~/?next=//evil", b"/?next=//evil"),
    ],
)
def test_what_follows_the_prefix_is_what_the_device_is_asked(path: str, agent_target: bytes) -> None:
    assert target(f"GET {path}") == Target(DEVICE, agent_target)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/devices",
        f"/api/devices/{DEVICE}",
        f"/api/devices/{DEVICE}/events",
        f"/api/devices/{DEVICE}/proxyx/a",
        f"/API/devices/{DEVICE}/proxy/",
        f"/api/devices/{DEVICE}/%70roxy/",
        f"/x/../api/devices/{DEVICE}/proxy/",
        "/api/cameras/x",
        "/wsx",
        "/api/mediaserver",
    ],
)
def test_h07_other_spellings_are_other_routes(path: str) -> None:
    assert target(f"GET {path}") is None


@pytest.mark.parametrize(
    "name", [DEVICE.upper(), f"{{{DEVICE}}}", DEVICE.replace("-", ""), "", "1", "ａ" * 8]
)
def test_h08_an_id_in_another_spelling_is_no_device(name: str) -> None:
    found = device_target(b"GET", f"/api/devices/{name}/proxy/".encode(), no_header)
    assert found == Target(NO_DEVICE, b"/")


@pytest.mark.parametrize(
    "path", ["~/..", "~/a/../b", "~//x", "~/a%2fb", "~/a\\b", "~/%zz", "/api/camera/../x", "/ws//"]
)
def test_h07_a_device_route_that_is_not_well_formed_is_refused_and_not_passed_on(path: str) -> None:
    with pytest.raises(RemoteProtocolError):
        target(f"GET {path}")


@pytest.mark.parametrize(
    "path",
    [
        "/api/camera/list",
        "/api/media",
        "/api/firmware/a?b",
        "/ws",
        "/ws/x",
        "/api/system/restart",
        "/api/system/healthy",
    ],
)
def test_the_existing_front_ends_paths_go_as_they_are(path: str) -> None:
    assert target(f"GET {path}") == Target(None, path.encode())


def test_a_kept_path_names_its_device_by_query_or_header() -> None:
    by_query = target(f"GET /ws/x?a=1&device_id={DEVICE}")
    assert by_query is not None
    assert by_query.device_id == DEVICE
    by_header = target("GET /api/media/x", x_visiona_device=DEVICE)
    assert by_header is not None
    assert by_header.device_id == DEVICE


def test_a_device_named_twice_is_refused() -> None:
    with pytest.raises(Invalid):
        target(f"GET /ws/x?device_id={DEVICE}&device_id={DEVICE}")


def test_a_device_named_wrongly_does_not_exist() -> None:
    assert target("GET /ws/x?device_id=1") == Target(NO_DEVICE, b"/ws/x?device_id=1")


@pytest.mark.parametrize("verb", ["connect", "disconnect", "flash", "inference/start", "inference/stop"])
def test_a_verb_waits_for_its_accelerator(verb: str) -> None:
    found = target(f"POST /api/devices/{DEVICE}/{verb}?accelerator=usb-1")
    assert found == Target(DEVICE, b"", verb.encode(), "usb-1")
    assert resolved(found, "usb-1").agent_target == b"/api/devices/usb-1/" + verb.encode()


def test_a_verb_may_name_the_accelerator_in_the_devices_place() -> None:
    assert target("POST /api/devices/kl520-0/connect") == Target(None, b"", b"connect", "kl520-0")


def test_a_scan_is_for_the_device_as_a_whole() -> None:
    assert target(f"POST /api/devices/{DEVICE}/scan") == Target(DEVICE, b"/api/devices/scan", b"scan")
    assert target("POST /api/devices/scan") == Target(None, b"/api/devices/scan", b"scan")


@pytest.mark.parametrize("path", [f"/api/devices/{DEVICE}/connect", "/api/devices/scan"])
def test_a_verb_is_posted(path: str) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        target(f"GET {path}")
    assert caught.value.allowed == {"POST"}


@pytest.mark.parametrize("local_id", ["a/b", "..", "", "a b", "a%2f", "é"])
def test_an_accelerators_id_never_becomes_more_than_a_path_segment(local_id: str) -> None:
    with pytest.raises(Invalid):
        resolved(Target(None, b"", b"connect"), local_id)


@pytest.mark.parametrize("name", ["a%2fb", "..", "a%20b"])
def test_an_accelerator_that_cannot_be_named_so_does_not_exist(name: str) -> None:
    found = target(f"POST /api/devices/{name}/connect")
    assert found is not None
    assert found.device_id == NO_DEVICE


@pytest.mark.parametrize("raw", [b"*", b"http://a/", b"a.example:443", b"", b"\\evil"])
def test_h06_what_is_not_a_path_is_refused(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        check_form(b"GET", raw)


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE", b"TRACK"])
def test_h06_methods_that_would_echo_or_tunnel_are_405(method: bytes) -> None:
    with pytest.raises(MethodNotAllowed):
        check_form(method, b"/")


@pytest.mark.parametrize("path", ["/api/system/info", "/api/system/health", "/api/system/info?x=1"])
def test_what_this_server_says_of_itself_is_asked_of_a_device_where_one_is_named(path: str) -> None:
    assert target(f"GET {path}") is None
    by_header = target(f"GET {path}", x_visiona_device=DEVICE)
    assert by_header == Target(DEVICE, path.encode())
    named = f"{path}{'&' if '?' in path else '?'}device_id={DEVICE}"
    assert target(f"GET {named}") == Target(DEVICE, named.encode())
