"""The guard in front of every route: nobody passes without a credential, except where PUBLIC says so.

A session's cookie must also pass the rules of cross_site.py: `identify` refuses it where another site's page made the
request. Bearer calls need none of that, because no browser sends that header by itself.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from quart import g, request

from visiona.domain.access import Actor, Scope
from visiona.domain.errors import NotAllowed
from visiona.web.callers import Callers
from visiona.web.console.pages import PAGES
from visiona.web.credentials import CredentialReader
from visiona.web.current_request import request_credentials

PUBLIC: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/healthz"),
        ("GET", "/openapi.json"),
        ("POST", "/api/pairing/exchange"),
        # Who comes here has no session yet; the last asks by itself for a signature, a cookie counts for nothing.
        ("GET", "/api/auth/login"),
        ("GET", "/api/auth/callback"),
        ("POST", "/api/auth/backchannel-logout"),
        # The same answer with a session and without: signing out twice is signing out. It holds to the CSRF rule.
        ("POST", "/api/auth/logout"),
        # The link is signed, and holds for one file and fifteen minutes.
        ("PUT", "/storage/<key>"),
        # The built-in identity provider: it asks for what it wants by itself.
        ("GET", "/idp/.well-known/openid-configuration"),
        ("GET", "/idp/jwks"),
        ("GET", "/idp/authorize"),
        ("POST", "/idp/authorize"),
        ("POST", "/idp/token"),
        ("GET", "/idp/userinfo"),
        ("POST", "/idp/userinfo"),
        ("GET", "/idp/end_session"),
        ("POST", "/idp/end_session"),
        ("GET", "/idp/first/<text>"),
        ("POST", "/idp/first/<text>"),
        ("GET", "/idp/link/<text>"),
        ("POST", "/idp/link/<text>"),
        # They offer nothing: the existing front-end's forms, answered 410 and 501 to whoever asks.
        ("POST", "/api/auth/login"),
        ("POST", "/api/auth/register"),
        # They say nothing of anybody; who is not signed in is sent to sign in.
        *(("GET", rule) for rule in PAGES),
        ("GET", "/console/<version>/<path:name>"),
    }
)
"""THE list of what anybody may call, as (method, rule); HEAD goes where GET goes."""


def is_public(method: str, rule: str) -> bool:
    """Whether anybody may call this method of this rule."""
    return ("GET" if method == "HEAD" else method, rule) in PUBLIC


def guard(callers: Callers, reader: CredentialReader) -> Callable[[], Awaitable[None]]:
    """Makes the check that runs before every route."""

    async def check() -> None:
        rule = request.url_rule
        # Without a rule the routing has failed, and 404 or 405 is all there is to say.
        if rule is None or is_public(request.method, rule.rule):
            return
        credentials = request_credentials(reader)
        g.actor = await callers.identify(credentials)
        g.identify_again = partial(callers.identify, credentials)

    return check


async def need_same_rights() -> None:
    """After a wait for the client: what it may must be what it was when the request began.

    A body can take its sender twenty seconds (see `site.py`). What was taken away meanwhile is gone then.

    Raises:
        NotSignedIn: the credential ended.
        NotAllowed: its holder may do something else now.
    """
    before: Actor | None = g.get("actor")
    if before is None:
        return
    now: Actor = await g.identify_again()
    if (now.scopes, now.workspaces) != (before.scopes, before.workspaces):
        raise NotAllowed("what you may do has changed while this request came; send it again")


def current_actor(scope: Scope | None = None) -> Actor:
    """The caller whom the guard let in; raises NotAllowed if the credential lacks the scope."""
    actor: Actor = g.actor
    if scope is not None:
        actor.need(scope)
    return actor
