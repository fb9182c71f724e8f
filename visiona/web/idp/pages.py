"""The provider's pages: plain HTML without a script, complete in themselves.

The style stands in the page and is allowed by its digest, so the policy needs no address. `form-action` names, besides
ourselves, where the sign-in leads: browsers apply it to the redirects that follow a form.
"""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from importlib import resources

from quart import Response

from visiona.services.passwords import MIN_PASSWORD_CHARACTERS
from visiona.web.idp.texts import TEXTS

_STYLE = resources.files("visiona.web.idp").joinpath("pages.css").read_text(encoding="utf-8")
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_MARK = (
    '<p class="mark"><svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">'
    '<circle cx="12" cy="12" r="3"/><path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z"/></svg>visiona</p>'
)

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title} · visiona</title>
<style>{style}</style>
</head>
<body>
<main>
{mark}
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


class Page:
    """The words of one language, and the pages in it."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = TEXTS[language]

    def text(self, name: str, **values: object) -> str:
        """A text; not yet fit for HTML."""
        return self._texts[name].format(characters=MIN_PASSWORD_CHARACTERS, **values)

    def sign_in(self, sealed: str, *, email: str = "", trouble: str | None = None) -> str:
        """Asks for address and password."""
        focus_password = bool(email)
        return self._form(
            "sign_in",
            sealed,
            self._trouble(trouble)
            + self._email_field(email, autofocus=not focus_password)
            + self._password_field("password", "password", "current-password", autofocus=focus_password),
            "sign_in",
        )

    def first(self, sealed: str, *, email: str = "", name: str = "", trouble: str | None = None) -> str:
        """Asks for the first administrator's account."""
        return self._form(
            "first_title",
            sealed,
            self._paragraph("first_intro")
            + self._trouble(trouble)
            + self._email_field(email, autofocus=True)
            + self._name_field(name)
            + self._new_password_fields(required=True),
            "create",
        )

    def link(self, sealed: str, email: str, *, trouble: str | None = None) -> str:
        """Signs in whom the link is for, with a new password if wanted."""
        fields = self._new_password_fields(required=False)
        is_open = " open" if trouble else ""
        return self._form(
            "sign_in",
            sealed,
            self._paragraph("link_intro", email=email)
            + self._trouble(trouble)
            # For the browser's password manager: whose password is changed.
            + f'<input name="username" autocomplete="username" value="{escape(email)}" readonly hidden>'
            + f"<details{is_open}><summary>{self._html('change_password')}</summary>{fields}</details>",
            "sign_in",
        )

    def notice(self, kind: str, start: str | None = None) -> str:
        """Says something, and leads to the start.

        Args:
            kind: `gone`, `refused`, `signed_out` or `trouble`.
            start: where the start is.
        """
        link = f'<a class="button" href="{escape(start)}">{self._html("start")}</a>' if start else ""
        return self._page(f"{kind}_title", self._paragraph(f"{kind}_text") + link)

    def _page(self, title: str, body: str) -> str:
        return _PAGE.format(
            language=self.language, title=self._html(title), style=_STYLE, mark=_MARK, body=body
        )

    def _form(self, title: str, sealed: str, fields: str, button: str) -> str:
        # Without an action it goes where the page came from, whatever path a proxy put in front.
        return self._page(
            title,
            f'<form method="post"><input type="hidden" name="form" value="{escape(sealed)}">{fields}'
            f"<button>{self._html(button)}</button></form>",
        )

    def _email_field(self, value: str, *, autofocus: bool) -> str:
        return (
            f'<label for="email">{self._html("email")}</label><input id="email" name="email" type="email" required'
            f' autocomplete="username" maxlength="254" value="{escape(value)}"{_autofocus(autofocus)}>'
        )

    def _name_field(self, value: str) -> str:
        return (
            f'<label for="name">{self._html("name")} <span class="quiet">({self._html("optional")})</span></label>'
            f'<input id="name" name="name" autocomplete="name" maxlength="80" value="{escape(value)}">'
        )

    def _password_field(
        self, name: str, label: str, autocomplete: str, *, autofocus: bool = False, required: bool = True
    ) -> str:
        need = " required" if required else ""
        return (
            f'<label for="{name}">{self._html(label)}</label><input id="{name}" name="{name}" type="password"{need}'
            f' autocomplete="{autocomplete}" maxlength="1024"{_autofocus(autofocus)}>'
        )

    def _new_password_fields(self, *, required: bool) -> str:
        return (
            self._password_field("password", "new_password", "new-password", required=required)
            + f'<p class="quiet">{self._html("password_rule")}</p>'
            + self._password_field("again", "again", "new-password", required=required)
        )

    def _paragraph(self, name: str, **values: object) -> str:
        return f"<p>{self._html(name, **values)}</p>"

    def _trouble(self, message: str | None) -> str:
        return f'<p class="bad" role="alert">{escape(message)}</p>' if message else ""

    def _html(self, name: str, **values: object) -> str:
        return escape(self.text(name, **values))


def html_response(
    page: Page,
    html: str,
    status: int = 200,
    *,
    leads_to: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A page as an answer.

    Args:
        page: whose language it is in.
        html: the page.
        status: of the answer.
        leads_to: the origin that the page's form leads to in the end; None for a page without a form.
        headers: more of them.
    """
    targets = f"'self' {leads_to}" if leads_to else "'none'"
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; form-action {targets};"
        " frame-ancestors 'none'; base-uri 'none'"
    )
    response = Response(html, status=status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Content-Language"] = page.language
    response.headers["Vary"] = "Accept-Language"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers.update(headers or {})
    return response


def _autofocus(wanted: bool) -> str:
    return " autofocus" if wanted else ""
