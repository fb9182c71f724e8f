// Package exercise is a small language that two yamux peers speak to prove each other's streams. The opener writes
// one line, a verb and its arguments; the acceptor does what it says. tests/interop/exercise.py speaks it too.
//
//	echo           everything comes back, then FIN
//	sink           read to FIN, then answer "SHA256 LENGTH\n" and FIN
//	source SEED N  N pattern bytes, then FIN without waiting for the opener's, then read on
//	late SEED N    wait for the opener's FIN, then N pattern bytes and FIN
//	early          FIN at once, then read on; "early_read" in the journal says what came
//	hold NAME      read nothing until "release NAME" came on another stream, then as sink
//	release NAME   let them go on; answers "ok\n"
//	flood          pattern bytes until the stream breaks; "flood_ended" in the journal says how
//	reset AFTER    read AFTER bytes, then RST (put on the wire by hand: hashicorp/yamux has no call for it)
package exercise

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/hashicorp/yamux"

	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/pattern"
)

// Responder answers the streams that a peer opens.
type Responder struct {
	log  *journal.Journal
	wire *frames.Conn

	mu    sync.Mutex
	gates map[string]chan struct{}
}

// NewResponder returns one for the session that runs over wire.
func NewResponder(log *journal.Journal, wire *frames.Conn) *Responder {
	return &Responder{log: log, wire: wire, gates: map[string]chan struct{}{}}
}

// Serve accepts until the session ends.
func (r *Responder) Serve(session *yamux.Session) error {
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return err
		}
		go r.answer(stream)
	}
}

func (r *Responder) answer(stream *yamux.Stream) {
	defer stream.Close()
	unread := bufio.NewReaderSize(stream, 32768)
	line, err := unread.ReadString('\n')
	if err != nil {
		return
	}
	words := strings.Fields(line)
	switch words[0] {
	case "echo":
		_, _ = io.Copy(stream, unread)
	case "sink":
		sink(stream, unread)
	case "source":
		r.send(stream, words)
		_ = stream.Close()
		_, _, _ = pattern.ReadAll(unread)
	case "late":
		if _, _, err := pattern.ReadAll(unread); err == nil {
			r.send(stream, words)
		}
	case "early":
		r.early(stream, unread)
	case "hold":
		<-r.gate(words[1])
		sink(stream, unread)
	case "release":
		close(r.gate(words[1]))
		_, _ = io.WriteString(stream, "ok\n")
	case "flood":
		r.flood(stream)
	case "reset":
		r.reset(stream, unread, words)
	}
}

func sink(stream net.Conn, unread io.Reader) {
	sum, length, err := pattern.ReadAll(unread)
	if err == nil {
		_, _ = fmt.Fprintf(stream, "%s %d\n", sum, length)
	}
}

func (r *Responder) send(stream net.Conn, words []string) {
	seed, count := numbers(words)
	_, _ = io.Copy(stream, pattern.Reader(seed, count))
}

// early closes before it reads. On yamux of 2019 a closed stream reads EOF at once, so "early_read" is 0 bytes there.
func (r *Responder) early(stream *yamux.Stream, unread io.Reader) {
	_ = stream.Close()
	sum, length, err := pattern.ReadAll(unread)
	r.log.Say("early_read", journal.Fields{
		"stream": stream.StreamID(), "sha256": sum, "length": length, "error": text(err),
	})
}

func (r *Responder) flood(stream *yamux.Stream) {
	sent, err := io.Copy(stream, pattern.Reader(1, 1<<40))
	r.log.Say("flood_ended", journal.Fields{"stream": stream.StreamID(), "sent": sent, "error": text(err)})
}

func (r *Responder) reset(stream *yamux.Stream, unread io.Reader, words []string) {
	_, after := numbers([]string{"", "0", words[1]})
	_, _ = io.CopyN(io.Discard, unread, after)
	_ = r.wire.Inject(frames.Header{Type: frames.TypeWindow, Flags: frames.FlagRST, Stream: stream.StreamID()})
}

func (r *Responder) gate(name string) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gates[name] == nil {
		r.gates[name] = make(chan struct{})
	}
	return r.gates[name]
}

func numbers(words []string) (seed, count int64) {
	_, _ = fmt.Sscanf(strings.Join(words[1:], " "), "%d %d", &seed, &count)
	return seed, count
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
