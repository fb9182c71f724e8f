"""What can go wrong on the way in, in the words that a browser gets. The reason is in the log, never on the page."""

from visiona.domain.errors import TooMany
from visiona.integrations.interface import ProviderRefused, ProviderUnavailable, TokenInvalid
from visiona.web.errors import ProviderDown, SignInFailed


class GoesInCircles(TooMany):
    """A browser signs in again and again; see loops.py."""


AGAIN = "this sign-in cannot be completed; please begin again"


def failed() -> SignInFailed:
    """One text for every reason: a page that told them apart would help who forges answers."""
    return SignInFailed(AGAIN)


def from_provider(error: ProviderUnavailable | ProviderRefused | TokenInvalid) -> SignInFailed | ProviderDown:
    """What a person is told of a failure at, or with, the provider."""
    match error:
        case ProviderUnavailable():
            message = "the identity provider does not answer at the moment; try again shortly"
            return ProviderDown(message, retry_after_seconds=max(1, round(error.retry_after_seconds)))
        case ProviderRefused() | TokenInvalid():
            return failed()


def reason_of(error: ProviderUnavailable | ProviderRefused | TokenInvalid) -> str:
    """For the log."""
    return str(error)[:300]
