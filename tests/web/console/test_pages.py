import re

import pytest
from visiona.web.console.files import load_assets
from visiona.web.console.languages import LANGUAGES
from visiona.web.console.pages import CSP, PAGES, Pages, is_page_path, root_from

PATHS = [re.sub("<[^>]+>", "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f", rule) for rule in PAGES]


@pytest.mark.parametrize(
    ("path", "root"), [("/", "./"), ("/pairing", "./"), ("/devices/new", "../"), ("/a/b/c", "../../")]
)
def test_the_way_to_the_root_is_relative(path: str, root: str) -> None:
    assert root_from(path) == root


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_address_in_a_page_is_relative_and_nothing_is_inline(path: str, language: str) -> None:
    assets = load_assets()
    for html in (Pages(assets).shell(path, language), Pages(assets).nothing_here(path, language)):
        addresses = re.findall(r"""(?:href|src)="([^"]*)\"""", html)
        assert addresses
        for address in addresses:
            assert address.startswith(root_from(path)), address
            inside = address.removeprefix(root_from(path))
            if inside.startswith("console/"):
                assert inside.removeprefix(f"console/{assets.version}/") in assets.by_name
        assert "<style" not in html
        assert " style=" not in html
        assert re.findall(r"<script(?![^>]*src=)", html) == []
        assert f'lang="{language}"' in html


def test_what_a_page_may_do_is_little() -> None:
    for word in ("unsafe", "*", "blob:", "http:", "https:"):
        assert word not in CSP
    for part in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert part in CSP


@pytest.mark.parametrize("path", ["/nothing", "/devices/x/y", "/api-docs", "/consoles"])
def test_a_path_of_nobody_may_be_a_page(path: str) -> None:
    assert is_page_path(path)


@pytest.mark.parametrize(
    "path", ["/api", "/api/x", "/ws/x", "/idp/x", "/console/x", "/storage/x", "/tunnel/x"]
)
def test_a_path_of_a_program_is_none(path: str) -> None:
    assert not is_page_path(path)
