package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/yamux"

	"visiona.test/interop/internal/exercise"
	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/pattern"
)

// overHTTP drives an agent that forwards each stream as one HTTP exchange.
type overHTTP struct{ *exercise.Driver }

var httpScenarios = []string{
	"requests", "half_close_ours", "half_close_theirs", "reset_ours", "backlog", "window", "ping", "websocket", "events",
	"bulk_up", "bulk_down", "bulk_both", "go_away",
}

// Run runs one scenario and returns what it measured.
func (d *overHTTP) Run(name string) (journal.Fields, error) {
	scenario := map[string]func() (journal.Fields, error){
		"requests": d.requests, "half_close_ours": d.halfCloseOurs, "half_close_theirs": d.halfCloseTheirs,
		"reset_ours": d.resetOurs, "backlog": d.backlog, "window": d.window, "ping": d.ping, "websocket": d.webSocket,
		"events": d.events, "bulk_up": d.bulkUp, "bulk_down": d.bulkDown, "bulk_both": d.bulkBoth, "go_away": d.goAway,
	}[name]
	if scenario == nil {
		return nil, fmt.Errorf("no scenario %q", name)
	}
	return scenario()
}

// ask opens a stream and writes a request; the caller closes the stream.
func (d *overHTTP) ask(method, target string, body io.Reader, length int64) (*yamux.Stream, *http.Request, error) {
	stream, err := d.Session.OpenStream()
	if err != nil {
		return nil, nil, err
	}
	request, err := http.NewRequest(method, "http://agent.test"+target, body)
	if err != nil {
		return stream, nil, err
	}
	request.ContentLength = length
	return stream, request, nil
}

// exchange is one request and its answer, read whole when it is small.
func (d *overHTTP) exchange(method, target string, body io.Reader, length int64) (*http.Response, string, int64, error) {
	stream, request, err := d.ask(method, target, body, length)
	if err != nil {
		return nil, "", 0, err
	}
	defer stream.Close()
	written := make(chan error, 1)
	go func() { written <- request.Write(stream) }()
	answer, err := http.ReadResponse(bufio.NewReader(stream), request)
	if err != nil {
		return nil, "", 0, err
	}
	sum, count, err := pattern.ReadAll(answer.Body)
	return answer, sum, count, errors.Join(err, <-written)
}

// echo sends size bytes, sized or chunked, and wants them back.
func (d *overHTTP) echo(seed, size int64, chunked, streamed bool) error {
	length, target := size, "/echo"
	if chunked {
		length, target = -1, "/echo?chunked=1"
	}
	if streamed {
		target = "/echo?stream=1"
	}
	answer, sum, count, err := d.exchange("POST", target, pattern.Reader(seed, size), length)
	switch {
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", answer.StatusCode)
	case count != size || sum != pattern.Digest(seed, size):
		return fmt.Errorf("%d of %d bytes came back, digest %s", count, size, sum)
	}
	return nil
}

// requests: GET, HEAD, sized and chunked POST in turn, 64 at a time, all digests compared.
func (d *overHTTP) requests() (journal.Fields, error) {
	return nil, d.Parallel(d.Streams, 64, func(i int) error {
		size := int64(i * 37 % 5003)
		switch i % 4 {
		case 0:
			return d.get(fmt.Sprintf("/bytes?n=%d&seed=%d&chunked=%d", size, i%7, i%8/4), size, pattern.Digest(int64(i%7), size))
		case 1:
			return d.echo(int64(i%7), size, false, false)
		case 2:
			return d.echo(int64(i%7), size, true, false)
		default:
			answer, _, count, err := d.exchange("HEAD", fmt.Sprintf("/bytes?n=%d", size), nil, 0)
			if err == nil && (count != 0 || answer.ContentLength != size) {
				err = fmt.Errorf("HEAD: %d bytes, Content-Length %d", count, answer.ContentLength)
			}
			return err
		}
	})
}

func (d *overHTTP) get(target string, size int64, digest string) error {
	answer, sum, count, err := d.exchange("GET", target, nil, 0)
	if err == nil && (answer.StatusCode != http.StatusOK || count != size || sum != digest) {
		err = fmt.Errorf("%s: status %d, %d of %d bytes, digest %s", target, answer.StatusCode, count, size, sum)
	}
	return err
}

// halfCloseOurs: FIN directly behind the request; the answer must still come. (2019: Read says EOF after Close.)
func (d *overHTTP) halfCloseOurs() (journal.Fields, error) {
	if Generation == "old" {
		return journal.Fields{"skipped": "yamux of 2019 reads EOF after its own Close"}, nil
	}
	stream, request, err := d.ask("POST", "/digest", strings.NewReader("hello"), 5)
	if err != nil {
		return nil, err
	}
	if err := request.Write(stream); err != nil {
		return nil, err
	}
	_ = stream.Close()
	answer, err := http.ReadResponse(bufio.NewReader(stream), request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err == nil && !bytes.Contains(body, []byte(`"length":5`)) {
		err = fmt.Errorf("answer %q", body)
	}
	return nil, err
}

// halfCloseTheirs: with Connection: close the agent's FIN follows the answer.
func (d *overHTTP) halfCloseTheirs() (journal.Fields, error) {
	stream, request, err := d.ask("GET", "/bytes?n=1000", nil, 0)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	request.Close = true
	if err := request.Write(stream); err != nil {
		return nil, err
	}
	_ = stream.SetReadDeadline(time.Now().Add(10 * time.Second))
	unread := bufio.NewReader(stream)
	answer, err := http.ReadResponse(unread, request)
	if err != nil {
		return nil, err
	}
	_, _, _ = pattern.ReadAll(answer.Body)
	if _, err := unread.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("after the answer came %w instead of FIN", err)
	}
	return nil, nil
}

// resetOurs: RST in the middle of an answer and before one; the backend's request must be cancelled within a second.
func (d *overHTTP) resetOurs() (journal.Fields, error) {
	before, err := d.cancelled()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for i, target := range []string{"/bytes?n=1000000000", "/hang", "/sse", "/mjpeg", "/stall?n=1000"} {
		stream, request, err := d.ask("GET", target, nil, 0)
		if err != nil {
			return nil, err
		}
		_ = request.Write(stream)
		if i != 1 {
			_, _ = io.CopyN(io.Discard, stream, 900)
		} else {
			time.Sleep(50 * time.Millisecond)
		}
		_ = d.Wire.Inject(frames.Header{Type: frames.TypeWindow, Flags: frames.FlagRST, Stream: stream.StreamID()})
	}
	for time.Since(began) < 5*time.Second {
		now, err := d.cancelled()
		if err != nil {
			return nil, err
		}
		if now-before >= 5 {
			return journal.Fields{"all_cancelled_seconds": time.Since(began).Seconds()}, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	now, _ := d.cancelled()
	return nil, fmt.Errorf("only %d of 5 requests were cancelled", now-before)
}
