// Command record writes byte traces: two real yamux peers speak over loopback, and what each of them read and wrote is
// kept in the order in which it happened there. tests/interop/test_traces.py lets our session take the recorded end's
// place. Run from tests/interop: go/bin/<key>/record-new -into traces
package main

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"visiona.test/interop/internal/exercise"
	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/pattern"
)

// Generation is set by the linker: which yamux this program was built with.
var Generation = "unknown"

// trace is one end's view of one conversation.
type trace struct {
	Name       string    `json:"name"`
	Yamux      string    `json:"yamux"`
	Role       string    `json:"role"`
	Peer       string    `json:"peer"`
	Streams    []*stream `json:"streams"`
	Records    string    `json:"records"` // base64(zlib([outgoing u8][length u32][bytes] …))
	WireBytes  int       `json:"wire_bytes"`
	mu         sync.Mutex
	raw        bytes.Buffer
	byID       map[uint32]*stream
	incoming   frames.Watcher
	unfinished bool
}

// stream is what the recorded end received on one stream.
type stream struct {
	ID     uint32   `json:"id"`
	Length int      `json:"length"`
	SHA256 string   `json:"sha256"`
	Ends   []string `json:"ends"` // "fin" and "rst" in the order of arrival
	sum    interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func newTrace(name, role, peer string) *trace {
	t := &trace{Name: name, Yamux: Generation, Role: role, Peer: peer, byID: map[uint32]*stream{}}
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
	if header.Type > frames.TypeWindow {
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
	if t.unfinished {
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

func (t *trace) write(into string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unfinished = true
	for _, s := range t.Streams {
		s.SHA256 = hex.EncodeToString(s.sum.Sum(nil))
	}
	var packed bytes.Buffer
	squeeze, _ := zlib.NewWriterLevel(&packed, zlib.BestCompression)
	_, _ = squeeze.Write(t.raw.Bytes())
	_ = squeeze.Close()
	t.Records = base64.StdEncoding.EncodeToString(packed.Bytes())
	text, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		log.Fatal(err)
	}
	name := filepath.Join(into, t.Name+"-"+t.Yamux+"-"+t.Role+".json")
	if err := os.WriteFile(name, append(text, '\n'), 0o644); err != nil {
		log.Fatal(err)
	}
}

func main() {
	into := flag.String("into", "traces", "folder for the traces")
	flag.Parse()
	exercise.Generation, pattern.Period = Generation, 127
	for _, scenario := range exercise.Scenarios {
		for _, driver := range []string{"client", "server"} {
			record(scenario, driver, *into)
		}
	}
}

// record plays one scenario with the driver in that role, and writes what both ends saw.
func record(scenario, driver, into string) {
	quiet := journal.New(io.Discard)
	left, right := connected()
	responder := map[string]string{"client": "server", "server": "client"}[driver]
	traces := []*trace{
		newTrace(scenario+"-driver", driver, responder), newTrace(scenario+"-responder", responder, driver),
	}
	wires := []*frames.Conn{frames.Wrap(left), frames.Wrap(right)}
	wires[0].Tee, wires[1].Tee = traces[0].see, traces[1].see
	drives := exercise.Start(wires[0], driver, time.Minute, quiet)
	answers := exercise.Start(wires[1], responder, time.Minute, quiet)
	go func() { _ = exercise.NewResponder(quiet, wires[1]).Serve(answers) }()
	d := &exercise.Driver{Session: drives, Wire: wires[0], Streams: 12, Bytes: 600_000, Brief: true}
	if _, err := d.Run(scenario); err != nil {
		log.Fatalf("%s: %v", scenario, err)
	}
	_, _ = drives.Ping()
	_, _ = answers.Ping()
	time.Sleep(50 * time.Millisecond)
	traces[0].write(into)
	traces[1].write(into)
	_ = drives.Close()
	_ = answers.Close()
}

func connected() (net.Conn, net.Conn) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		connection, _ := listener.Accept()
		accepted <- connection
	}()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	return dialled, <-accepted
}
