"""Whether a server on the network is worth asking now: pure, told the time, the same for every kind of server.

One that refuses is asked each time, for a refusal comes at once. One that is silent costs every caller the whole
deadline; so after several waited in vain and nothing was heard from it meanwhile it counts as *out*: nobody is sent
there any more, except for one probe at a time. The first sign of life ends that. A question that is slow by itself, or
waits for somebody's lock, is no silence as long as anything else is answered.

Times are seconds of any one clock that only goes forward.
"""

SILENCES = 2
"""So many callers must have waited in vain: one alone may have asked something slow."""

PROBE_SECONDS = 1.0
"""The shortest time from the beginning of one probe to that of the next."""

RETRY_SECONDS = 2
"""What callers are told: by then a server that is back has been noticed."""


class Outage:
    """What was heard of one server, and not."""

    def __init__(self) -> None:
        self._heard_at = float("-inf")
        self._silences = 0
        self._out_since: float | None = None
        self._probe_at = float("-inf")
        self._is_probing = False

    @property
    def is_out(self) -> bool:
        """Whether nobody is to be sent there."""
        return self._out_since is not None

    def heard(self, now: float) -> float | None:
        """It said something, be it an error. Gives how many seconds it was out if that ends now."""
        self._heard_at = now
        self._silences = 0
        since, self._out_since = self._out_since, None
        return None if since is None else now - since

    def waited_in_vain(self, since: float, now: float) -> bool:
        """Somebody gave up who had asked at `since`; True if with that it is out."""
        if self._heard_at >= since or self.is_out:
            return False
        self._silences += 1
        if self._silences < SILENCES:
            return False
        self._out_since = now
        return True

    def begin_probe(self, now: float) -> bool:
        """Whether the caller shall probe it now; then `end_probe` follows."""
        if not self.is_out or self._is_probing or now - self._probe_at < PROBE_SECONDS:
            return False
        self._is_probing, self._probe_at = True, now
        return True

    def end_probe(self) -> None:
        """The probe is over. If it was answered, `heard` was called."""
        self._is_probing = False
