import re
import tomllib
from pathlib import PurePosixPath

from visiona.web.console.files import CONTENT_TYPES, load_assets

from tests.house.tree import PACKAGE, ROOT

IMPORT = re.compile(r"""^import [^;]*?from "([^"]+)";""", re.MULTILINE | re.DOTALL)


def test_the_version_is_of_all_files_and_stays_the_same() -> None:
    first, second = load_assets(), load_assets()
    assert first == second
    assert re.fullmatch(r"[0-9a-f]{16}", first.version)
    assert {"app.js", "icon.svg", "base.css", "pages/devices.js", "text/en.json"} <= set(first.by_name)
    assert {name[name.rfind(".") :] for name in first.by_name} == set(CONTENT_TYPES)


def test_scripts_import_files_that_are_there_by_relative_names() -> None:
    assets = load_assets().by_name
    for name, asset in assets.items():
        for wanted in IMPORT.findall(asset.body.decode()) if name.endswith(".js") else []:
            assert wanted.startswith(("./", "../")), (name, wanted)
            parts: list[str] = list(PurePosixPath(name).parent.parts)
            for part in wanted.split("/"):
                if part == "..":
                    parts.pop()
                elif part != ".":
                    parts.append(part)
            assert "/".join(parts) in assets, (name, wanted)


def test_no_file_reaches_for_markup_from_text_or_for_another_host() -> None:
    for name, asset in load_assets().by_name.items():
        text = asset.body.decode()
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|setAttribute\(\"on"
        assert not re.search(forbidden, text), name
        hosts = set(re.findall(r"https?://([\w.$]+)", text)) - {"www.w3.org", "127.0.0.1"}
        assert hosts == set(), (name, hosts)


def test_the_whole_console_is_small() -> None:
    """A browser loads the scripts and styles once, and one of the dictionaries."""
    sizes = {name: len(asset.body) for name, asset in load_assets().by_name.items()}
    words = sum(size for name, size in sizes.items() if name.startswith("text/"))
    assert sum(sizes.values()) - words < 190_000
    assert words < 3 * 30_000


def test_every_file_comes_with_the_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["visiona.web.console"]
    folder = PACKAGE / "web" / "console"
    packed = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    served = load_assets().by_name
    assert {path.relative_to(folder).as_posix().removeprefix("assets/") for path in packed} >= set(served)
