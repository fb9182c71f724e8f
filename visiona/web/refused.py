"""Which refusals are worth a line in the audit log: those that a rule about who may do what made.

What was merely asked wrongly is none. A credential that is no good is noted by callers.py, who knows more of it, and a
person's sign-in by those who refuse it.
"""

from visiona.domain.audit import Deed
from visiona.domain.errors import NotAllowed, PairingRefused, TooMany
from visiona.services.audit import note_refused


def note_refusal(error: BaseException) -> None:
    """Takes it down if it is one of those; never waits, never raises."""
    if isinstance(error, PairingRefused):
        note_refused(Deed.PAIRING_REFUSED, error.message, code=error.code)
    elif isinstance(error, (NotAllowed, TooMany)):
        note_refused(Deed.ACCESS_REFUSED, error.message, code=error.code)
