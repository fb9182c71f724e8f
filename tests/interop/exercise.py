"""The acceptor's half of the small language of go/internal/exercise, on a `Session` of ours."""

from tests.interop.peer import Channel, Peer

ENDLESS_BYTES = 1 << 40


class Answer(Channel):
    """A stream that the other side opened: reads the first line, and does what it says."""

    def __init__(self, peer: Peer, stream_id: int) -> None:
        super().__init__(peer, stream_id)
        self._line = b""
        self._words: list[str] = []
        peer.session.accept_stream(stream_id)

    def received(self, data: bytes) -> None:
        """The first line is an order, everything behind it is material."""
        if self._words:
            self._material(data)
            return
        self._line += data
        line, found, rest = self._line.partition(b"\n")
        if not found:
            self._take(len(data))
            return
        self._take(len(data) - len(rest))
        self._words = line.decode().split()
        self._begin()
        if rest:
            self._material(rest)

    def _material(self, data: bytes) -> None:
        verb = self._words[0]
        super().received(data)
        if verb == "echo":
            self.send(data)
        elif verb == "reset" and self.length >= int(self._words[1]):
            self.peer.session.reset_stream(self.stream_id)

    def _begin(self) -> None:
        match self._words:
            case ["source", seed, count]:
                self.send_pattern(int(seed), int(count))
                self.end()
            case ["early"]:
                self.end()
            case ["hold", _]:
                self.reading = False
            case ["release", name]:
                self._release(name)
            case ["flood"]:
                self.send_pattern(1, ENDLESS_BYTES)
            case _:
                pass  # the others wait for material or for FIN

    def _release(self, name: str) -> None:
        for channel in list(self.peer.channels.values()):
            if isinstance(channel, Answer) and channel._words == ["hold", name] and not channel.reading:
                channel.read_on()
        self.send(b"ok\n")
        self.end()

    def ended(self) -> None:
        """FIN is the moment at which some verbs answer, and at which all of them end."""
        super().ended()
        match self._words:
            case ["echo"]:
                self.end()
            case ["sink"] | ["hold", _]:
                self.send(f"{self.digest} {self.length}\n".encode())
                self.end()
            case ["late", seed, count]:
                self.send_pattern(int(seed), int(count))
                self.end()
            case ["flood"]:
                self.peer.session.reset_stream(self.stream_id)
            case _:
                pass
