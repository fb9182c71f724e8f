"""The console's HTML: one shell that its scripts fill, and a plain page for an address where nothing is.

All addresses in it are relative, by the depth of the page's own path, so the console also works where a reverse proxy
shows it below some path of its own. Nothing that a request says is written into a page, save by choosing among ours.
"""

import re
from html import escape
from typing import Final

from visiona.web.console.files import Assets
from visiona.web.console.languages import dictionary

PAGES: Final = (
    "/",
    "/devices/new",
    "/devices/<device_id>",
    "/models",
    "/pairing",
    "/activity",
    "/workspaces",
    "/workspaces/<workspace_id>",
    "/tokens",
    "/sessions",
    "/invitation",
    "/reference",
)
"""As the site's rules; the scripts know the same ones (assets/routes.js)."""

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing inline, nothing from elsewhere, and no way from a text to markup or a script, by mistake either."""

PAGE_HEADERS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-cache"),
    ("Content-Security-Policy", CSP),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ("Vary", "Accept-Language"),
)

_SHELL: Final = """<!doctype html>
<html lang="{language}" data-root="{root}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>visiona</title>
<link rel="icon" href="{assets}/icon.svg" type="image/svg+xml">
{styles}
<link rel="preload" href="{assets}/text/{language}.json" as="fetch" crossorigin>
{scripts}
<script type="module" src="{assets}/app.js"></script>
</head>
<body>
<div id="console"></div>
<noscript><main class="plain"><h1>visiona</h1><p>{needs_scripts}</p></main></noscript>
</body>
</html>
"""

_NOTHING_HERE: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · visiona</title>
<link rel="icon" href="{assets}/icon.svg" type="image/svg+xml">
{styles}
</head>
<body>
<main class="plain"><p class="brand">visiona</p><h1>{title}</h1><p>{sentence}</p>
<p><a class="button primary" href="{root}">{back}</a></p></main>
</body>
</html>
"""


class Pages:
    """The console's HTML for one set of assets."""

    def __init__(self, assets: Assets) -> None:
        self.version = assets.version
        self._styles = sorted(name for name in assets.by_name if name.endswith(".css"))
        # Told in advance, the browser fetches them side by side and not one import after the other.
        self._scripts = sorted(name for name in assets.by_name if name.endswith(".js") and name != "app.js")

    def shell(self, path: str, language: str) -> str:
        """The page at a path of the console."""
        return self._fill(_SHELL, path, language)

    def nothing_here(self, path: str, language: str) -> str:
        """The page for a path where nothing is; it needs no scripts and no session."""
        return self._fill(_NOTHING_HERE, path, language)

    def _fill(self, template: str, path: str, language: str) -> str:
        words = dictionary(language)
        root = root_from(path)
        assets = f"{root}console/{self.version}"
        return template.format(
            language=language,
            root=root,
            assets=assets,
            styles=_lines('<link rel="stylesheet" href="{}">', assets, self._styles),
            scripts=_lines('<link rel="modulepreload" href="{}">', assets, self._scripts),
            title=escape(words["notFound.title"]),
            sentence=escape(words["notFound.text"]),
            back=escape(words["notFound.back"]),
            needs_scripts=escape(words["app.needsScripts"]),
        )


def root_from(path: str) -> str:
    """The way from a page's path to the server's root: `./` at `/pairing`, `../` at `/devices/x`."""
    return "../" * (path.count("/") - 1) or "./"


def is_page_path(path: str) -> bool:
    """Whether the path could be meant for the console: none of the API's or of the assets'."""
    return not re.match(r"/(?:api|ws|idp|console|storage|tunnel)(?:/|$)", path)


def _lines(line: str, assets: str, names: list[str]) -> str:
    return "\n".join(line.format(f"{assets}/{name}") for name in names)
