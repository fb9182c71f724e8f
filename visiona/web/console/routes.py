"""The console's routes: its pages and its files.

Both are for anybody, for they say nothing of anyone; what they show comes from the API, with its guard. Who opens a
page without a session is sent to sign in first. A link from elsewhere (a chat, the identity provider on the way back)
opens a page as well, which is why the rules for cookies do not hold here: they are for what reads and changes.
"""

import hashlib
from urllib.parse import quote, urlsplit

from quart import Blueprint, Response, request

from visiona.domain.errors import NotAllowed, NotFound, NotSignedIn
from visiona.stores.errors import StoreUnavailable
from visiona.web.callers import Callers
from visiona.web.console.files import Asset, load_assets
from visiona.web.console.languages import preferred
from visiona.web.console.pages import PAGE_HEADERS, PAGES, Pages, is_page_path, root_from
from visiona.web.credentials import CredentialReader
from visiona.web.current_request import request_credentials
from visiona.web.settings import WebSettings

FOR_EVER = "public, max-age=31536000, immutable"
"""The name of an asset changes with its contents."""


def console_routes(settings: WebSettings, callers: Callers) -> Blueprint:
    """The routes."""
    routes = Blueprint("console", __name__)
    assets = load_assets()
    pages = Pages(assets)
    reader = CredentialReader.from_web(settings)
    home = urlsplit(settings.public_url or "").path.rstrip("/")

    async def page(**_: str) -> Response:
        """A page of the console; without a session, the way to sign in."""
        if not await _is_signed_in(callers, reader):
            return _to_sign_in(home)
        return page_response(pages.shell(request.path, _language()))

    for rule in PAGES:
        routes.add_url_rule(rule, view_func=page, methods=["GET"])

    @routes.get("/console/<version>/<path:name>")
    async def asset(version: str, name: str) -> Response:
        """A file of the console."""
        found = assets.by_name.get(name) if version == assets.version else None
        if found is None:
            raise NotFound("there is nothing at this path")
        return _asset_response(found)

    @routes.after_app_request
    async def show_nothing_here(response: Response) -> Response:
        if response.status_code != 404 or request.url_rule is not None or not _is_person():
            return response
        return page_response(pages.nothing_here(request.path, _language()), 404)

    return routes


def page_response(html: str, status: int = 200) -> Response:
    """A page with the headers that all of the console's pages have."""
    body = html.encode()
    response = _unless_known(body, hashlib.sha256(body).hexdigest()[:20], status)
    for name, value in PAGE_HEADERS:
        response.headers[name] = value
    return response


def _asset_response(asset: Asset) -> Response:
    response = _unless_known(asset.body, asset.etag, 200)
    response.headers["Content-Type"] = asset.content_type
    response.headers["Cache-Control"] = FOR_EVER
    return response


def _unless_known(body: bytes, digest: str, status: int) -> Response:
    """304 where the browser says that it has this very body; an error is never remembered."""
    if status != 200:
        return Response(body, status=status)
    etag = f'"{digest}"'
    is_known = request.headers.get("If-None-Match") == etag
    response = Response(b"" if is_known else body, status=304 if is_known else 200)
    response.headers["ETag"] = etag
    return response


async def _is_signed_in(callers: Callers, reader: CredentialReader) -> bool:
    try:
        await callers.identify(request_credentials(reader))
    except NotSignedIn:
        if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            raise  # a script that asks gets an answer that it can read
        return False
    except (NotAllowed, StoreUnavailable):
        # A link from elsewhere; or nobody knows just now, and the page says so better than anything else.
        return True
    return True


def _to_sign_in(home: str) -> Response:
    """A way that is relative, for only the browser knows below which path it sees us; and back, as configured."""
    return_to = quote(home + request.path, safe="/")
    response = Response(b"", status=302)
    response.headers["Location"] = f"{root_from(request.path)}api/auth/login?return_to={return_to}"
    return response


def _is_person() -> bool:
    """Whether somebody opened this address in a browser, rather than a program that asks for it."""
    if request.method not in {"GET", "HEAD"} or not is_page_path(request.path):
        return False
    mode = request.headers.get("Sec-Fetch-Mode")
    return mode == "navigate" if mode is not None else "text/html" in request.headers.get("Accept", "")


def _language() -> str:
    return preferred(request.headers.get("Accept-Language"))
