package main

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"sync"

	"visiona.test/interop/internal/frames"
)

// trace is one end's view of one conversation.
type trace struct {
	Role      string    `json:"role"`    // of the recorded end
	Opens     bool      `json:"opens"`   // whether the recorded end opened the streams
	Streams   []*stream `json:"streams"` // in the order in which the peer's first frame for them came
	Pings     int       `json:"pings"`
	GoAways   []uint32  `json:"go_aways"`
	WireBytes int       `json:"wire_bytes"`
	Records   string    `json:"records"` // base64(zlib([outgoing u8][length u32][bytes] …))

	mu       sync.Mutex
	raw      bytes.Buffer
	byID     map[uint32]*stream
	incoming frames.Watcher
	over     bool
}

// stream is what the recorded end received on one stream, by the frames' own account.
type stream struct {
	ID     uint32   `json:"id"`
	Length int      `json:"length"`
	SHA256 string   `json:"sha256"`
	Ends   []string `json:"ends"` // "fin" and "rst" in the order of arrival
	sum    hash.Hash
}

func newTrace(role string, opens bool) *trace {
	t := &trace{Role: role, Opens: opens, GoAways: []uint32{}, byID: map[uint32]*stream{}}
	t.incoming.OnHeader = t.header
	t.incoming.OnPayload = func(id uint32, piece []byte) {
		s := t.stream(id)
		s.Length += len(piece)
		_, _ = s.sum.Write(piece)
	}
	return t
}

func (t *trace) stream(id uint32) *stream {
	if t.byID[id] == nil {
		t.byID[id] = &stream{ID: id, Ends: []string{}, sum: sha256.New()}
		t.Streams = append(t.Streams, t.byID[id])
	}
	return t.byID[id]
}

func (t *trace) header(header frames.Header) {
	switch header.Type {
	case frames.TypePing:
		if header.Flags&frames.FlagSYN != 0 {
			t.Pings++
		}
		return
	case frames.TypeGoAway:
		t.GoAways = append(t.GoAways, header.Length)
		return
	}
	s := t.stream(header.Stream)
	if header.Flags&frames.FlagFIN != 0 {
		s.Ends = append(s.Ends, "fin")
	}
	if header.Flags&frames.FlagRST != 0 {
		s.Ends = append(s.Ends, "rst")
	}
}

// see is the tee of one end's connection.
func (t *trace) see(outgoing bool, data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	mark := byte(0)
	if outgoing {
		mark = 1
	} else {
		t.incoming.Feed(data)
	}
	t.raw.WriteByte(mark)
	_ = binary.Write(&t.raw, binary.BigEndian, uint32(len(data)))
	t.raw.Write(data)
	t.WireBytes += len(data)
}

// finish ends the recording and packs it.
func (t *trace) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	for _, s := range t.Streams {
		s.SHA256 = hex.EncodeToString(s.sum.Sum(nil))
	}
	var packed bytes.Buffer
	squeeze, _ := zlib.NewWriterLevel(&packed, zlib.BestCompression)
	_, _ = squeeze.Write(t.raw.Bytes())
	_ = squeeze.Close()
	t.Records = base64.StdEncoding.EncodeToString(packed.Bytes())
}
