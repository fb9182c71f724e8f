"""`/idp/first/…` and `/idp/link/…`: one-time links. Looking at one uses nothing up; its form does.

A link proves who somebody is to the provider. The sign-in itself then goes the way all go: through the client, which
asks the provider, which finds that this very browser has just used a link.
"""

from dataclasses import dataclass

from quart import Blueprint, Response

from visiona.domain.errors import Conflict, Gone, Invalid
from visiona.domain.users import User, normalised_email
from visiona.services.one_time_links import (
    is_first_admin_link,
    redeem_first_admin_link,
    redeem_sign_in_link,
    user_of_link,
)
from visiona.services.passwords import MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARACTERS, hash_password
from visiona.web.bff.place import LOGIN
from visiona.web.idp.browser import new_browser, set_browser
from visiona.web.idp.params import Params, form_params
from visiona.web.idp.provider import Provider, page_of_request
from visiona.web.idp.showing import as_page, form_page, is_own_form, path_purpose, see_other


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a form is shown again."""

    text: str
    status: int = 400


def link_routes(provider: Provider) -> Blueprint:
    """The routes."""
    routes = Blueprint("idp_links", __name__)

    @routes.get("/idp/first/<text>")
    @as_page(provider)
    async def show_first(text: str) -> Response:
        """The page on which the first administrator's account is made."""
        await _need_first(provider, text)
        return await _first_page(provider, {})

    @routes.post("/idp/first/<text>")
    @as_page(provider)
    async def use_first(text: str) -> Response:
        """That page's form."""
        await _need_first(provider, text)
        form = await form_params()
        trouble = await _trouble(provider, form) or _password_trouble(form)
        if trouble is None:
            made = await _made(provider, text, form)
            if isinstance(made, User):
                return _on_to_sign_in(provider, made, "first link")
            trouble = made
        return await _first_page(provider, form, trouble)

    @routes.get("/idp/link/<text>")
    @as_page(provider)
    async def show_link(text: str) -> Response:
        """The page of a link that signs somebody in once."""
        return await _link_page(provider, await _need_user(provider, text))

    @routes.post("/idp/link/<text>")
    @as_page(provider)
    async def use_link(text: str) -> Response:
        """That page's form."""
        user = await _need_user(provider, text)
        form = await form_params()
        is_new = "password" in form or "again" in form
        trouble = await _trouble(provider, form) or (_password_trouble(form) if is_new else None)
        if trouble is not None:
            return await _link_page(provider, user, trouble)
        hashed = await provider.hashing.run(hash_password, form["password"]) if is_new else None
        user = await redeem_sign_in_link(provider.stores, text, hashed, provider.now())
        return _on_to_sign_in(provider, user, "link")

    return routes


async def _need_first(provider: Provider, text: str) -> None:
    if not await is_first_admin_link(provider.stores, text, provider.now()):
        raise Gone("this link does not work (any more)")


async def _need_user(provider: Provider, text: str) -> User:
    user = await user_of_link(provider.stores, text, provider.now())
    if user is None:
        raise Gone("this link does not work (any more)")
    return user


async def _made(provider: Provider, text: str, form: Params) -> User | Trouble:
    """The first administrator, or why there is none."""
    page = page_of_request()
    try:
        email = normalised_email(form.get("email", ""))
    except Invalid:
        return Trouble(page.text("bad_email"))
    hashed = await provider.hashing.run(hash_password, form["password"])
    try:
        return await redeem_first_admin_link(
            provider.stores, text, email, hashed, provider.now(), name=form.get("name", "")
        )
    except Conflict:
        return Trouble(page.text("taken"), 409)


async def _trouble(provider: Provider, form: Params) -> Trouble | None:
    """Whether the form is not ours."""
    if await is_own_form(provider, form, path_purpose()):
        return None
    return Trouble(page_of_request().text("stale"))


def _password_trouble(form: Params) -> Trouble | None:
    password, page = form.get("password", ""), page_of_request()
    if password != form.get("again", ""):
        return Trouble(page.text("differ"))
    if len(password) < MIN_PASSWORD_CHARACTERS:
        return Trouble(page.text("too_short"))
    if len(password.encode()) > MAX_PASSWORD_BYTES:
        return Trouble(page.text("too_long"))
    return None


async def _first_page(provider: Provider, form: Params, trouble: Trouble | None = None) -> Response:
    page = page_of_request()
    email, name = form.get("email", ""), form.get("name", "")
    text = trouble.text if trouble is not None else None
    return await form_page(
        provider,
        path_purpose(),
        lambda sealed: page.first(sealed, email=email, name=name, trouble=text),
        trouble.status if trouble is not None else 200,
    )


async def _link_page(provider: Provider, user: User, trouble: Trouble | None = None) -> Response:
    page = page_of_request()
    text = trouble.text if trouble is not None else None
    return await form_page(
        provider,
        path_purpose(),
        lambda sealed: page.link(sealed, user.email, trouble=text),
        trouble.status if trouble is not None else 200,
    )


def _on_to_sign_in(provider: Provider, user: User, how: str) -> Response:
    """Through the client's front door, with a new id for the browser: an old one could be known to somebody else."""
    browser = new_browser()
    provider.issued.fresh.put(browser, provider.signed_in(user, how))
    response = see_other(f"{provider.place.base}/{LOGIN}?return_to={provider.place.home}")
    set_browser(response, provider.place.base, browser)
    return response
