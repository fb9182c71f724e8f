"""What the provider has handed out and takes back: authorization codes, access tokens, sign-ins a moment old.

All of it lives a minute or five and is bound to this process, so it is kept in memory, by hash; a restart costs a
person who is just signing in one more click. Each kind has a limit, beyond which the oldest goes.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from visiona.domain.ids import UserId
from visiona.domain.users import User

T = TypeVar("T")

CODE_SECONDS = 60.0
"""A browser follows a redirect in one; RFC 6749 §4.1.2 allows ten minutes at the most."""

ACCESS_TOKEN_SECONDS = 300.0
"""For the one question after sign-in that it is good for, userinfo."""

FRESH_SECONDS = 120.0
"""From a one-time link's page to the sign-in that it was opened for."""

MAX_KEPT = 10_000
"""Of each kind: a few MiB. Only who has just given a right password or link makes a new one."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody gave a right password, or a link.

    Attributes:
        sid: names this sign-in in id tokens.
        password: the mark of the password that the account had.
    """

    user_id: UserId
    at: datetime
    sid: str
    password: str = field(repr=False)

    def stands(self, user: User) -> bool:
        """Whether it still counts: nobody has set another password since, perhaps because of this very sign-in."""
        return user.id == self.user_id and hmac.compare_digest(self.password, password_mark(user))


@dataclass(frozen=True, slots=True)
class Code:
    """What an authorization code stands for. The methods are those that authlib asks for."""

    client_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    code_challenge_method: str
    signed_in: SignedIn

    def get_redirect_uri(self) -> str:
        """Where it was sent; the token request must say the same."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """What it was asked for."""
        return self.scope

    def get_nonce(self) -> str | None:
        """The client's, for the id token."""
        return self.nonce

    def get_auth_time(self) -> int:
        """When the person signed in."""
        return int(self.signed_in.at.timestamp())

    def get_acr(self) -> None:
        """No such promise is made."""

    def get_amr(self) -> None:
        """No such promise is made."""


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token is good for: telling about this user."""

    user_id: UserId
    scope: str
    code_key: str


class Kept(Generic[T]):
    """Values by the hash of a text, each for a time."""

    def __init__(self, seconds: float, clock: Callable[[], float], max_kept: int = MAX_KEPT) -> None:
        self._seconds = seconds
        self._clock = clock
        self._max_kept = max_kept
        self._values: OrderedDict[str, tuple[T, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many are held, those that are over included until the next one comes."""
        return len(self._values)

    def put(self, text: str, value: T) -> None:
        """Keeps it; what is over goes, and at the limit the oldest."""
        now = self._clock()
        # All live equally long, so those that are over stand in front.
        while self._values and next(iter(self._values.values()))[1] <= now:
            self._values.popitem(last=False)
        if len(self._values) >= self._max_kept:
            self._values.popitem(last=False)
        self._values[hashed(text)] = (value, now + self._seconds)

    def get(self, text: str) -> T | None:
        """The value, if it is not over."""
        value, good_until = self._values.get(hashed(text), (None, 0.0))
        return value if good_until > self._clock() else None

    def take(self, text: str) -> T | None:
        """The value, for one caller alone."""
        value = self.get(text)
        self._values.pop(hashed(text), None)
        return value

    def drop_where(self, unwanted: Callable[[T], bool]) -> None:
        """Takes back all that are unwanted."""
        for key in [key for key, (value, _) in self._values.items() if unwanted(value)]:
            del self._values[key]


class Issued:
    """Everything handed out.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._codes: Kept[Code] = Kept(CODE_SECONDS, clock)
        self._access: Kept[Access] = Kept(ACCESS_TOKEN_SECONDS, clock)
        self._spent: Kept[str] = Kept(ACCESS_TOKEN_SECONDS, clock)
        self.fresh: Kept[SignedIn] = Kept(FRESH_SECONDS, clock)

    def keep_code(self, text: str, code: Code) -> None:
        """A new code."""
        self._codes.put(text, code)

    def user_of_code(self, text: str) -> UserId | None:
        """Whom a code is about, without using it."""
        code = self._codes.get(text)
        return code.signed_in.user_id if code else None

    def take_code(self, text: str) -> Code | None:
        """The code, once. Asked again, whatever came of the first time is taken back (RFC 6749 §4.1.2)."""
        code = self._codes.take(text)
        if code is not None:
            self._spent.put(text, hashed(text))
        elif (code_key := self._spent.get(text)) is not None:
            self._access.drop_where(lambda access: access.code_key == code_key)
        return code

    def keep_access(self, token: str, code: Code, code_text: str) -> None:
        """An access token that a code was exchanged for."""
        self._access.put(token, Access(code.signed_in.user_id, code.scope, hashed(code_text)))

    def access(self, token: str) -> Access | None:
        """What the token is good for, if anything."""
        return self._access.get(token)


def password_mark(user: User) -> str:
    """Changes with the account's password, and tells nothing of it."""
    return hashed(user.password_hash or "")


def hashed(text: str) -> str:
    """As it is kept: what is read out of this process's memory signs nobody in."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
