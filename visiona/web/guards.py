"""The guard in front of every route: nobody passes without a credential, except where PUBLIC says so.

Cookies and the CSRF rule for them arrive with people's sign-in: `credentials_of` then fills in the cookie, and a
state-changing call that came with one must pass a second check here. Bearer calls need none, because no browser sends
that header by itself.
"""

from collections.abc import Awaitable, Callable

from quart import g, request

from visiona.domain.access import Actor, Scope
from visiona.web.callers import Callers, Credentials, credentials_of

PUBLIC: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/healthz"),
        ("GET", "/openapi.json"),
        ("POST", "/api/pairing/exchange"),
        # They offer nothing: the existing front-end's forms, answered 410 and 501 to whoever asks.
        ("POST", "/api/auth/login"),
        ("POST", "/api/auth/register"),
    }
)
"""THE list of what anybody may call, as (method, rule); HEAD goes where GET goes."""


def is_public(method: str, rule: str) -> bool:
    """Whether anybody may call this method of this rule."""
    return ("GET" if method == "HEAD" else method, rule) in PUBLIC


def request_credentials() -> Credentials:
    """The credentials of the current request. A header that came twice is none: which of them would count?"""

    def get_header(name: str) -> str | None:
        values = request.headers.getlist(name)
        return values[0] if len(values) == 1 else None

    return credentials_of(get_header)


def guard(callers: Callers) -> Callable[[], Awaitable[None]]:
    """Makes the check that runs before every route."""

    async def check() -> None:
        rule = request.url_rule
        # Without a rule the routing has failed, and 404 or 405 is all there is to say.
        if rule is None or is_public(request.method, rule.rule):
            return
        g.actor = await callers.identify(request_credentials())

    return check


def current_actor(scope: Scope | None = None) -> Actor:
    """The caller whom the guard let in; raises NotAllowed if the credential lacks the scope."""
    actor: Actor = g.actor
    if scope is not None:
        actor.need(scope)
    return actor
