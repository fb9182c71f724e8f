"""What the pages' routes have in common: the browser's id, the sealed form, and refusals shown as pages."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec

from quart import Response, request

from visiona.domain.errors import Gone, Invalid, TooLarge, TooMany
from visiona.stores.errors import StoreUnavailable
from visiona.web.cross_site import origin_of
from visiona.web.idp.browser import browser_or_none, new_browser, set_browser
from visiona.web.idp.forms import is_from_own_page, is_sealed, seal
from visiona.web.idp.pages import html_response
from visiona.web.idp.params import Params
from visiona.web.idp.provider import Provider, page_of_request

P = ParamSpec("P")
Handler = Callable[P, Awaitable[Response]]


def as_page(provider: Provider) -> Callable[[Handler[P]], Handler[P]]:
    """Makes a route answer its refusals as pages: only people come here."""

    def decorate(handler: Handler[P]) -> Handler[P]:
        @wraps(handler)
        async def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                return await handler(*args, **kwargs)
            except Gone:
                return notice(provider, "gone", 410)
            except (Invalid, TooLarge):
                return notice(provider, "refused", 400)
            except TooMany as error:
                return notice(provider, "trouble", 429, {"Retry-After": str(error.retry_after_seconds)})
            except StoreUnavailable as error:
                seconds = max(1, round(error.retry_after_seconds))
                return notice(provider, "trouble", 503, {"Retry-After": str(seconds)})

        return answer

    return decorate


def notice(
    provider: Provider, kind: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A page that says something and leads to the start."""
    page = page_of_request()
    return html_response(page, page.notice(kind, provider.place.home_url), status, headers=headers)


async def form_page(
    provider: Provider,
    purpose: bytes,
    build: Callable[[str], str],
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    """A page with a form, sealed for this browser.

    Args:
        provider: whose page it is.
        purpose: what the form is for.
        build: makes the page from the seal.
        status: of the answer.
        headers: more of them.
    """
    keys = await provider.ring.keys()
    browser = browser_or_none(provider.place.base) or new_browser()
    sealed = seal(keys.form_key, browser, purpose, provider.now())
    response = html_response(
        page_of_request(), build(sealed), status, leads_to=origin_of(provider.place.base), headers=headers
    )
    set_browser(response, provider.place.base, browser)
    return response


async def is_own_form(provider: Provider, form: Params, purpose: bytes) -> bool:
    """Whether the submitted form is one of ours, shown in this browser a short while ago."""
    keys = await provider.ring.keys()
    browser = browser_or_none(provider.place.base)
    return is_from_own_page() and is_sealed(
        keys.form_key, form.get("form", ""), browser, purpose, provider.now()
    )


def see_other(location: str) -> Response:
    """303: what comes next is a GET, whatever this was; a 307 would carry the password on (RFC 9700 §4.12)."""
    response = Response(b"", status=303)
    del response.headers["Content-Type"]
    response.headers["Location"] = location
    return response


def too_many(error: TooMany) -> tuple[str, dict[str, str]]:
    """What the page and the head say of a limit."""
    seconds = max(1, error.retry_after_seconds)
    return page_of_request().text("too_many", seconds=seconds), {"Retry-After": str(seconds)}


def path_purpose() -> bytes:
    """A form that is for its own address."""
    return request.path.encode()
