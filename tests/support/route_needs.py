"""What each route asks, for tests of outages: which stores, with which body. A new route has to be entered here.

By "needs" is meant what a caller gets no answer without whose credential is known already. Who is not known yet needs
the database too, and with a session's cookie the sessions.
"""

from typing import Any, NamedTuple

DATABASE, SESSIONS = "database", "sessions"


class Need(NamedTuple):
    """What a route needs.

    Attributes:
        of: the stores.
        of_session: the stores beyond those, for who comes with a session.
        body: what to send, as JSON.
        why: for a route that needs nothing, or whose request must be prepared: by whom it is shown.
    """

    of: frozenset[str]
    body: Any = None
    why: str = ""
    of_session: frozenset[str] = frozenset()


def _nothing(why: str) -> Need:
    return Need(frozenset(), why=why)


def _prepared(*of: str) -> Need:
    return Need(frozenset(of), why="needs what was said before")


_DATABASE = Need(frozenset({DATABASE}))
_SESSIONS = Need(frozenset({SESSIONS}))
_PAGE = _nothing("a page that says nothing of anybody; what it shows comes from the API")
_BOARD = _nothing("read from the board")
_PROVIDERS_OWN = _nothing("the provider's own data")

NEEDS: dict[tuple[str, str], Need] = {
    ("GET", "/livez"): _BOARD,
    ("GET", "/healthz"): _BOARD,
    ("GET", "/readyz"): _BOARD,
    ("GET", "/api/system/health"): _BOARD,
    ("GET", "/api/system/info"): _nothing("counted in this process"),
    ("GET", "/openapi.json"): _nothing("made from the code"),
    ("GET", "/"): _PAGE,
    ("GET", "/devices/new"): _PAGE,
    ("GET", "/devices/<device_id>"): _PAGE,
    ("GET", "/models"): _PAGE,
    ("GET", "/pairing"): _PAGE,
    ("GET", "/activity"): _PAGE,
    ("GET", "/workspaces"): _PAGE,
    ("GET", "/workspaces/<workspace_id>"): _PAGE,
    ("GET", "/tokens"): _PAGE,
    ("GET", "/sessions"): _PAGE,
    ("GET", "/invitation"): _PAGE,
    ("GET", "/reference"): _PAGE,
    ("GET", "/console/<version>/<path:name>"): _nothing("a file of ours"),
    ("GET", "/api/auth/login"): _prepared(SESSIONS),
    ("GET", "/api/auth/callback"): _prepared(SESSIONS, DATABASE),
    ("POST", "/api/auth/backchannel-logout"): _prepared(SESSIONS),
    ("POST", "/api/auth/logout"): _prepared(SESSIONS),
    ("POST", "/api/auth/login"): _nothing("refuses everybody"),
    ("POST", "/api/auth/register"): _nothing("refuses everybody"),
    ("GET", "/api/auth/me"): Need(frozenset({DATABASE}), of_session=frozenset({SESSIONS})),
    ("GET", "/api/auth/sessions"): _SESSIONS,
    ("DELETE", "/api/auth/sessions/<session_id>"): _SESSIONS,
    ("GET", "/api/auth/tokens"): _DATABASE,
    ("POST", "/api/auth/tokens"): Need(frozenset({DATABASE}), {"name": "a program"}),
    ("DELETE", "/api/auth/tokens/<token_id>"): _DATABASE,
    ("POST", "/api/pairing/exchange"): Need(frozenset({DATABASE}), {"pairing_token": "vAc_" + "0" * 32}),
    ("POST", "/api/pairing/token"): Need(frozenset({DATABASE}), {}),
    ("POST", "/api/pairing/qr"): Need(frozenset(), {"text": "a line"}, why="draws what it is given"),
    ("GET", "/api/pairing/status"): _nothing("told by the tunnels that are up"),
    ("GET", "/api/pairing/tokens"): _DATABASE,
    ("DELETE", "/api/pairing/tokens/<id_or_token>"): _DATABASE,
    ("GET", "/api/devices"): _DATABASE,
    ("GET", "/api/devices/<device_id>"): _DATABASE,
    ("PATCH", "/api/devices/<device_id>"): Need(frozenset({DATABASE}), {"name": "bench"}),
    ("GET", "/api/devices/<device_id>/events"): _DATABASE,
    ("GET", "/api/devices/<device_id>/cameras/<path:path>/snapshot"): _DATABASE,
    ("DELETE", "/api/devices/<device_id>"): _DATABASE,
    ("POST", "/api/devices/<device_id>/unpair"): _DATABASE,
    ("GET", "/api/models"): _DATABASE,
    ("POST", "/api/models/init"): Need(
        frozenset({DATABASE}),
        {"name": "yolo", "version": "1", "target_chips": ["KL720"], "file_size": 1, "sha256": "0" * 64},
    ),
    ("POST", "/api/models/<model_id>/finalize"): _DATABASE,
    ("GET", "/api/models/<model_id>"): _DATABASE,
    ("DELETE", "/api/models/<model_id>"): _DATABASE,
    ("GET", "/api/models/<model_id>/download"): _DATABASE,
    ("POST", "/api/models/<model_id>/load-to-device"): Need(
        frozenset({DATABASE}), {"device_id": "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"}
    ),
    ("GET", "/api/devices/<device_id>/loads"): _DATABASE,
    ("GET", "/api/devices/<device_id>/loads/<load_id>/events"): _DATABASE,
    ("DELETE", "/api/devices/<device_id>/loads/<load_id>"): _DATABASE,
    ("PUT", "/storage/<key>"): _prepared(DATABASE),
    ("GET", "/api/live"): _nothing("what happens in this process, as it happens"),
    ("GET", "/api/workspaces"): _DATABASE,
    ("GET", "/api/workspaces/<workspace_id>"): _DATABASE,
    ("PATCH", "/api/workspaces/<workspace_id>"): Need(frozenset({DATABASE}), {"name": "Lab"}),
    ("DELETE", "/api/workspaces/<workspace_id>"): _DATABASE,
    ("GET", "/api/workspaces/<workspace_id>/members"): _DATABASE,
    ("POST", "/api/workspaces/<workspace_id>/members"): Need(frozenset({DATABASE}), {"email": "a@b.c"}),
    ("PATCH", "/api/workspaces/<workspace_id>/members/<user_id>"): Need(
        frozenset({DATABASE}), {"role": "admin"}
    ),
    ("DELETE", "/api/workspaces/<workspace_id>/members/<user_id>"): _DATABASE,
    ("GET", "/api/workspaces/<workspace_id>/invitations"): _DATABASE,
    ("DELETE", "/api/workspaces/<workspace_id>/invitations/<invitation_id>"): _DATABASE,
    ("POST", "/api/invitations/accept"): Need(frozenset({DATABASE}), {"token": "vAi_" + "0" * 64}),
    ("POST", "/api/devices/<device_id>/transfer"): Need(
        frozenset({DATABASE}), {"workspace_id": "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"}
    ),
    ("GET", "/api/audit"): _DATABASE,
    ("GET", "/api/audit/export"): _DATABASE,
    ("GET", "/idp/.well-known/openid-configuration"): _PROVIDERS_OWN,
    ("GET", "/idp/jwks"): _PROVIDERS_OWN,
    ("GET", "/idp/authorize"): _nothing("a form"),
    ("POST", "/idp/authorize"): _prepared(DATABASE),
    ("POST", "/idp/token"): _prepared(DATABASE),
    ("GET", "/idp/userinfo"): _prepared(DATABASE),
    ("POST", "/idp/userinfo"): _prepared(DATABASE),
    ("GET", "/idp/end_session"): _nothing("a page"),
    ("POST", "/idp/end_session"): _nothing("a page"),
    ("GET", "/idp/first/<text>"): _DATABASE,
    ("POST", "/idp/first/<text>"): _DATABASE,
    ("GET", "/idp/link/<text>"): _DATABASE,
    ("POST", "/idp/link/<text>"): _DATABASE,
    # At the end: whoever did it is asked for anew, for their workspaces are others now.
    ("POST", "/api/workspaces"): Need(frozenset({DATABASE}), {"name": "Lab"}),
}
