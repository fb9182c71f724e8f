"""The provider's one client, this server's own sign-in, as authlib asks about it."""

import hmac
from dataclasses import dataclass, field

CALLBACK_PATH = "/api/auth/callback"
SCOPES = ("openid", "email", "profile")


@dataclass(frozen=True, slots=True)
class Client:
    """One client.

    Attributes:
        secret: of a confidential client; None for a public one.
        redirect_uri: the one place where codes are sent, compared letter by letter.
    """

    client_id: str
    secret: str | None = field(repr=False)
    redirect_uri: str

    @property
    def auth_methods(self) -> tuple[str, ...]:
        """How it proves at the token endpoint who it is."""
        return ("none",) if self.secret is None else ("client_secret_basic", "client_secret_post")

    def get_client_id(self) -> str:
        """See authlib's ClientMixin, as all below."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: the request must say it."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What of the scope is granted; None refuses, where it is not asked for an identity at all."""
        asked = (scope or "").split()
        return " ".join(each for each in asked if each in SCOPES) if "openid" in asked else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether codes may be sent there."""
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether this is the secret."""
        return self.secret is not None and hmac.compare_digest(self.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether it may prove itself so."""
        return method in self.auth_methods

    def check_response_type(self, response_type: str) -> bool:
        """Codes only."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Codes only: no refresh tokens, no passwords."""
        return grant_type == "authorization_code"
