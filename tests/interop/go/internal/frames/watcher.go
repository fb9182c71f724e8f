// Package frames reads the yamux headers that pass by on a connection. It exists because hashicorp/yamux tells its
// user neither of a GoAway nor of a reset that arrived for a stream nobody was reading.
package frames

import "encoding/binary"

// The wire's own numbers.
const (
	TypeData   = 0
	TypeWindow = 1
	TypePing   = 2
	TypeGoAway = 3

	FlagSYN = 1
	FlagACK = 2
	FlagFIN = 4
	FlagRST = 8

	HeaderBytes = 12
)

// Header is one frame's header.
type Header struct {
	Type   uint8
	Flags  uint16
	Stream uint32
	Length uint32
}

// Encode returns the twelve bytes.
func (h Header) Encode() []byte {
	raw := make([]byte, HeaderBytes)
	raw[1] = h.Type
	binary.BigEndian.PutUint16(raw[2:], h.Flags)
	binary.BigEndian.PutUint32(raw[4:], h.Stream)
	binary.BigEndian.PutUint32(raw[8:], h.Length)
	return raw
}

// Watcher is fed one direction's bytes, cut anywhere.
type Watcher struct {
	OnHeader  func(Header)
	OnPayload func(stream uint32, piece []byte)

	partial []byte
	current Header
	body    uint32
}

// Feed takes the next bytes; it is not safe for two goroutines at once.
func (w *Watcher) Feed(data []byte) {
	for len(data) > 0 {
		if w.body > 0 {
			n := min(int(w.body), len(data))
			if w.OnPayload != nil {
				w.OnPayload(w.current.Stream, data[:n])
			}
			w.body -= uint32(n)
			data = data[n:]
			continue
		}
		n := min(HeaderBytes-len(w.partial), len(data))
		w.partial = append(w.partial, data[:n]...)
		data = data[n:]
		if len(w.partial) == HeaderBytes {
			w.header()
		}
	}
}

// AtBoundary says whether a foreign frame could be put here.
func (w *Watcher) AtBoundary() bool { return w.body == 0 && len(w.partial) == 0 }

func (w *Watcher) header() {
	w.current = Header{
		Type:   w.partial[1],
		Flags:  binary.BigEndian.Uint16(w.partial[2:]),
		Stream: binary.BigEndian.Uint32(w.partial[4:]),
		Length: binary.BigEndian.Uint32(w.partial[8:]),
	}
	w.partial = w.partial[:0]
	if w.current.Type == TypeData {
		w.body = w.current.Length
	}
	if w.OnHeader != nil {
		w.OnHeader(w.current)
	}
}
