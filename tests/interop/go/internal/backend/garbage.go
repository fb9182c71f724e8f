package backend

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"visiona.test/interop/internal/pattern"
)

func (b *Backend) misbehaviour() { b.mux.HandleFunc("/garbage", garbage) }

// A stream of bytes that is not an answer. Each writes what it likes; the connection is closed afterwards.
var garbageKinds = map[string]func(io.Writer){
	"not_http":            say("SSH-2.0-OpenSSH_9.7\r\nhello there\r\n\r\n"),
	"binary":              func(w io.Writer) { _, _ = io.Copy(w, pattern.Reader(5, 4096)) },
	"empty":               func(io.Writer) {},
	"half_head":           say("HTTP/1.1 200 OK\r\nContent-Le"),
	"megabyte_header":     func(w io.Writer) { bigHeader(w, 1<<20) },
	"endless_headers":     endlessHeaders,
	"many_headers":        func(w io.Writer) { manyHeaders(w, 5000) },
	"status_099":          say("HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n"),
	"status_1000":         say("HTTP/1.1 1000 High\r\nContent-Length: 0\r\n\r\n"),
	"status_word":         say("HTTP/1.1 OK 200\r\nContent-Length: 0\r\n\r\n"),
	"negative_length":     say("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"),
	"plus_length":         say("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"),
	"hex_length":          say("HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello"),
	"huge_length":         say("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello"),
	"two_lengths":         say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
	"length_and_chunked":  say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
	"unknown_coding":      say("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nhello"),
	"body_longer":         say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more than was announced"),
	"body_shorter":        say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"),
	"chunk_missing_end":   say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
	"chunk_bad_size":      say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
	"chunk_overflow":      say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
	"bare_line_feeds":     say("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
	"folded_header":       say("HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\nContent-Length: 0\r\n\r\n"),
	"nul_in_header":       say("HTTP/1.1 200 OK\r\nX-A: b\x00c\r\nContent-Length: 0\r\n\r\n"),
	"space_before_colon":  say("HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"),
	"informational_flood": informationalFlood,
	"unasked_101":         say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05hello"),
	"early_hints":         say("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
	"two_answers":         say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
	"body_on_204":         say("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
	"body_on_304":         say("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"),
	"http_1_0":            say("HTTP/1.0 200 OK\r\n\r\nuntil the end"),
	"http_2":              say("HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
	"until_close":         say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"),
}

// GarbageKinds lists what /garbage?kind= knows.
func GarbageKinds() []string {
	names := make([]string, 0, len(garbageKinds))
	for name := range garbageKinds {
		names = append(names, name)
	}
	return names
}

// garbage takes the connection from net/http. Where it cannot (http.Server on a 2019 yamux stream waits for ever in
// Hijack) use an agent in pipe mode.
func garbage(w http.ResponseWriter, r *http.Request) {
	kind := garbageKinds[r.URL.Query().Get("kind")]
	if kind == nil {
		answerJSON(w, http.StatusOK, map[string]any{"kinds": GarbageKinds()})
		return
	}
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer finish(connection, buffered.Reader)
	kind(connection)
}

// finish half-closes first, so that the last bytes are not lost to a reset of unread input.
func finish(connection net.Conn, unread *bufio.Reader) {
	if half, ok := connection.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _, _ = pattern.ReadAll(unread)
	}
	_ = connection.Close()
}

func say(text string) func(io.Writer) {
	return func(w io.Writer) { _, _ = io.WriteString(w, text) }
}

func bigHeader(w io.Writer, size int) {
	_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nX-Big: ")
	_, _ = io.WriteString(w, strings.Repeat("a", size))
	_, _ = io.WriteString(w, "\r\nContent-Length: 0\r\n\r\n")
}

func manyHeaders(w io.Writer, count int) {
	_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\n")
	for i := range count {
		_, _ = fmt.Fprintf(w, "X-%d: %d\r\n", i, i)
	}
	_, _ = io.WriteString(w, "Content-Length: 0\r\n\r\n")
}

// endlessHeaders goes on until the other side has had enough; 256 MiB is for ever.
func endlessHeaders(w io.Writer) {
	_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\n")
	line := strings.Repeat("X-Again: and again\r\n", 512)
	for sent := 0; err == nil && sent < 256<<20; sent += len(line) {
		_, err = io.WriteString(w, line)
	}
}

func informationalFlood(w io.Writer) {
	var err error
	for i := 0; err == nil && i < 100_000; i++ {
		_, err = io.WriteString(w, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
}
