"""One provider as `visiona.integrations.interface.IdentityProvider`: found lazily, asked within bounds.

Nothing is asked before somebody wants to sign in, so a provider that is down at start keeps nobody from anything else.
A question that failed is not repeated for a while (1, 2, 4 … 30 s): meanwhile everybody is told at once.
"""

import base64
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

import trio
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from visiona.integrations.interface import (
    Attempt,
    LogoutToken,
    Person,
    ProviderRefused,
    ProviderUnavailable,
    TokenInvalid,
)
from visiona.integrations.oidc.fetching import Fetcher, Json
from visiona.integrations.oidc.keys import KeyRing
from visiona.integrations.oidc.metadata import Metadata, discovery_url, metadata_from
from visiona.integrations.oidc.tokens import (
    Expected,
    check_id_token,
    check_logout_token,
    text_or_none,
    verify,
)

log = logging.getLogger(__name__)

FRESH_SECONDS = 3600.0
"""How long metadata is believed before it is asked for again; older serves while the provider is down."""

MAX_BACKOFF_SECONDS = 30.0
EXCHANGE_SECONDS = 10.0
"""For the code, the keys and the person's address together, each of which has its own deadline."""

MAX_CODE_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Registration:
    """How the provider knows us. Without a secret we are a public client: PKCE alone binds the code to us."""

    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: str


class OidcClient:
    """The relying party's side of one issuer.

    Args:
        issuer: asked at each use, because the built-in provider's depends on the port that was bound.
        fetcher: how the provider is reached.
        now: the wall clock, which tokens are measured by.
    """

    def __init__(
        self,
        issuer: Callable[[], str],
        registration: Registration,
        fetcher: Fetcher,
        now: Callable[[], datetime],
    ) -> None:
        self._issuer = issuer
        self._registration = registration
        self._fetcher = fetcher
        self._now = now
        self._keys = KeyRing(self._fetch_keys)
        self._found: Metadata | None = None
        self._found_at = 0.0
        self._failures = 0
        self._try_again_at = 0.0
        self._lock = trio.Lock()

    async def authorization_url(self, attempt: Attempt, state: str) -> str:
        """See the Protocol."""
        metadata = await self._metadata()
        parameters = {
            "response_type": "code",
            "client_id": self._registration.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": self._registration.scopes,
            "state": state,
            "nonce": attempt.nonce,
            "code_challenge": create_s256_code_challenge(attempt.code_verifier),
            "code_challenge_method": "S256",
        }
        return _with(metadata.authorization_endpoint, parameters)

    async def check_response_issuer(self, issuer: str | None) -> None:
        """See the Protocol."""
        metadata = await self._metadata()
        if issuer is None and metadata.names_itself:
            raise TokenInvalid("iss: missing in the answer")
        if issuer is not None and issuer != metadata.issuer:
            raise TokenInvalid("iss: the answer of another provider")

    async def exchange_code(self, code: str, attempt: Attempt) -> Person:
        """See the Protocol."""
        if not code or len(code) > MAX_CODE_CHARACTERS:
            raise TokenInvalid("code: not one")
        try:
            with trio.fail_after(EXCHANGE_SECONDS):
                return await self._exchange(code, attempt)
        except trio.TooSlowError:
            raise ProviderUnavailable("all questions together took too long") from None

    async def _exchange(self, code: str, attempt: Attempt) -> Person:
        metadata = await self._metadata()
        answered = await self._redeem(metadata, code, attempt)
        id_token, access_token = answered.get("id_token"), answered.get("access_token")
        if not isinstance(id_token, str):
            raise TokenInvalid("id_token: missing")
        held = access_token if isinstance(access_token, str) else None
        expected = Expected(
            metadata.issuer, self._registration.client_id, attempt.nonce, attempt.begun_at, self._now(), held
        )
        claims = check_id_token(await verify(id_token, self._keys), expected)
        if "email" not in claims and metadata.userinfo_endpoint is not None and held is not None:
            claims = {**await self._userinfo(metadata.userinfo_endpoint, held, claims["sub"]), **claims}
        return _person(metadata.issuer, claims)

    async def check_logout_token(self, token: str) -> LogoutToken:
        """See the Protocol."""
        metadata = await self._metadata()
        verified = await verify(token, self._keys)
        return check_logout_token(verified, metadata.issuer, self._registration.client_id, self._now())

    async def logout_url(self, return_url: str) -> str | None:
        """See the Protocol.

        The id token that could go along as a hint is not kept (it would be one more secret in the store), so the
        provider may ask the person whether they mean it.
        """
        endpoint = (await self._metadata()).end_session_endpoint
        if endpoint is None:
            return None
        parameters = {"client_id": self._registration.client_id, "post_logout_redirect_uri": return_url}
        return _with(endpoint, parameters)

    async def _redeem(self, metadata: Metadata, code: str, attempt: Attempt) -> Json:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": attempt.code_verifier,
        }
        more, headers = _authentication(self._registration, metadata)
        answer = await self._fetcher.post(metadata.token_endpoint, {**form, **more}, headers)
        if answer.status != 200:
            code_of_error = answer.fields.get("error")
            raise ProviderRefused(str(code_of_error)[:64] if code_of_error else f"status {answer.status}")
        return answer.fields

    async def _userinfo(self, url: str, access_token: str, subject: object) -> Json:
        answer = await self._fetcher.get(url, bearer=access_token)
        if answer.status != 200:
            raise ProviderRefused(f"status {answer.status} at userinfo")
        if answer.fields.get("sub") != subject:
            raise TokenInvalid("sub: userinfo is about somebody else")  # Core §5.3.2
        return {
            name: answer.fields[name] for name in ("email", "email_verified", "name") if name in answer.fields
        }

    async def _metadata(self) -> Metadata:
        issuer = self._issuer()
        async with self._lock:
            now = trio.current_time()
            found = self._found if self._found is not None and self._found.issuer == issuer else None
            if found is not None and now - self._found_at < FRESH_SECONDS:
                return found
            if now < self._try_again_at:
                if found is not None:
                    return found
                wait = self._try_again_at - now
                raise ProviderUnavailable(f"{issuer} failed a moment ago", retry_after_seconds=wait)
            return await self._discover(issuer, found)

    async def _discover(self, issuer: str, older: Metadata | None) -> Metadata:
        try:
            answer = await self._fetcher.get(discovery_url(issuer))
            if answer.status != 200:
                raise ProviderUnavailable(f"{issuer} answered {answer.status} to discovery")
            found = metadata_from(answer.fields, issuer)
        except ProviderUnavailable as error:
            self._failures += 1
            wait = min(2.0 ** (self._failures - 1), MAX_BACKOFF_SECONDS)
            self._try_again_at = trio.current_time() + wait
            log.warning(
                "the identity provider cannot be used", extra={"issuer": issuer, "reason": str(error)}
            )
            if older is not None:
                return older
            error.retry_after_seconds = wait
            raise
        self._failures, self._found, self._found_at = 0, found, trio.current_time()
        return found

    async def _fetch_keys(self) -> Json:
        metadata = await self._metadata()
        answer = await self._fetcher.get(metadata.jwks_uri)
        if answer.status != 200:
            raise ProviderUnavailable(f"{metadata.jwks_uri} answered {answer.status}")
        return answer.fields


def _authentication(
    registration: Registration, metadata: Metadata
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Form fields and headers by which the token endpoint knows us (RFC 6749 §2.3.1)."""
    if registration.client_secret is None:
        return {"client_id": registration.client_id}, {}
    offered = metadata.client_authentication
    if "client_secret_basic" not in offered and "client_secret_post" in offered:
        return {"client_id": registration.client_id, "client_secret": registration.client_secret}, {}
    pair = f"{quote(registration.client_id, safe='')}:{quote(registration.client_secret, safe='')}"
    return {}, {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _person(issuer: str, claims: Mapping[str, object]) -> Person:
    return Person(
        issuer=issuer,
        subject=str(claims["sub"]),
        sid=text_or_none(claims, "sid"),
        email=text_or_none(claims, "email"),
        email_verified=claims.get("email_verified") is True,
        name=text_or_none(claims, "name"),
    )


def _with(url: str, parameters: Mapping[str, str]) -> str:
    return str(add_params_to_uri(url, list(parameters.items())))
