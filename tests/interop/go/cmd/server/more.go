package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"visiona.test/interop/internal/exercise"
	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/pattern"
)

// cancelled asks the backend how many requests it has seen cancelled.
func (d *overHTTP) cancelled() (int64, error) {
	stream, request, err := d.ask("GET", "/counters", nil, 0)
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	if err := request.Write(stream); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(stream), request)
	if err != nil {
		return 0, err
	}
	var counts struct{ Cancelled int64 }
	err = json.NewDecoder(answer.Body).Decode(&counts)
	return counts.Cancelled, err
}

// backlog: 256 requests at one go; none may be lost, one may be refused with RST.
func (d *overHTTP) backlog() (journal.Fields, error) {
	var answered, refused atomic.Int64
	err := d.Parallel(256, 256, func(i int) error {
		err := d.echo(int64(i%5), 200, false, false)
		if err != nil && strings.Contains(err.Error(), "reset") {
			refused.Add(1)
			return nil
		}
		answered.Add(1)
		return err
	})
	return journal.Fields{"answered": answered.Load(), "refused": refused.Load()}, err
}

// window: an upload that the backend does not read fills what there is and stops; neighbours go on.
func (d *overHTTP) window() (journal.Fields, error) {
	stream, request, err := d.ask("POST", "/hang", pattern.Reader(1, 1<<30), 1<<30)
	if err != nil {
		return nil, err
	}
	_ = stream.SetWriteDeadline(time.Now().Add(1500 * time.Millisecond))
	if request.Write(stream) == nil {
		return nil, errors.New("1 GiB went into a request that nobody reads")
	}
	err = d.echo(2, 100_000, false, false)
	_ = d.Wire.Inject(frames.Header{Type: frames.TypeWindow, Flags: frames.FlagRST, Stream: stream.StreamID()})
	return nil, errors.Join(err, d.echo(3, 1000, true, false))
}

func (d *overHTTP) webSocket() (journal.Fields, error) {
	stream, err := d.Session.OpenStream()
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	target := &url.URL{Scheme: "ws", Host: "agent.test", Path: "/ws"}
	header := http.Header{"Sec-Websocket-Protocol": {"visiona.v1"}}
	socket, _, err := websocket.NewClient(stream, target, header, 4096, 4096)
	if err != nil {
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	if socket.Subprotocol() != "visiona.v1" {
		return nil, fmt.Errorf("subprotocol %q", socket.Subprotocol())
	}
	for size := range 300 {
		message, _ := io.ReadAll(pattern.Reader(1, int64(size*97)))
		if err := socket.WriteMessage(websocket.BinaryMessage, message); err != nil {
			return nil, err
		}
		_, back, err := socket.ReadMessage()
		if err != nil || string(back) != string(message) {
			return nil, fmt.Errorf("message of %d bytes: %d came back: %w", len(message), len(back), err)
		}
	}
	_ = socket.WriteMessage(websocket.TextMessage, []byte("close 4321 because"))
	_, _, err = socket.ReadMessage()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 4321 || closed.Text != "because" {
		return nil, fmt.Errorf("closed with %w", err)
	}
	return nil, nil
}

// events: each server-sent event arrives as it is sent, not when the answer is complete.
func (d *overHTTP) events() (journal.Fields, error) {
	stream, request, err := d.ask("GET", "/sse?n=10&ms=100", nil, 0)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	began := time.Now()
	if err := request.Write(stream); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(stream), request)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Scan()
	first := time.Since(began)
	events := 0
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data:") {
			events++
		}
	}
	if events != 10 || first > 500*time.Millisecond {
		return nil, fmt.Errorf("%d events, the first after %v", events, first)
	}
	return journal.Fields{"first_seconds": first.Seconds()}, nil
}

func (d *overHTTP) bulkUp() (journal.Fields, error) {
	began := time.Now()
	stream, request, err := d.ask("POST", "/digest", pattern.Reader(11, d.Bytes), d.Bytes)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	if err := request.Write(stream); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(stream), request)
	if err != nil {
		return nil, err
	}
	var said struct{ SHA256 string }
	err = json.NewDecoder(answer.Body).Decode(&said)
	if err == nil && said.SHA256 != pattern.Digest(11, d.Bytes) {
		err = errors.New("the digest is wrong")
	}
	return exercise.Rate(began, d.Bytes), err
}

func (d *overHTTP) bulkDown() (journal.Fields, error) {
	began := time.Now()
	err := d.get(fmt.Sprintf("/bytes?n=%d&seed=12", d.Bytes), d.Bytes, pattern.Digest(12, d.Bytes))
	if err == nil {
		err = d.get(fmt.Sprintf("/bytes?n=%d&seed=12&chunked=1", d.Bytes), d.Bytes, pattern.Digest(12, d.Bytes))
	}
	return exercise.Rate(began, 2*d.Bytes), err
}

func (d *overHTTP) bulkBoth() (journal.Fields, error) {
	began := time.Now()
	err := d.Parallel(4, 4, func(i int) error { return d.echo(int64(i), d.Bytes/4, i%2 == 0, true) })
	return exercise.Rate(began, d.Bytes), err
}

func (d *overHTTP) ping() (journal.Fields, error) {
	return d.PingDuring(func() error {
		return d.Parallel(4, 4, func(i int) error { return d.echo(int64(i), d.Bytes/16, true, true) })
	})
}

// goAway: what is in flight finishes.
func (d *overHTTP) goAway() (journal.Fields, error) {
	stream, request, err := d.ask("GET", "/bytes?n=700000&ms=100&seed=3", nil, 0)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	if err := request.Write(stream); err != nil {
		return nil, err
	}
	if err := d.Session.GoAway(); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(stream), request)
	if err != nil {
		return nil, err
	}
	sum, count, err := pattern.ReadAll(answer.Body)
	if err == nil && sum != pattern.Digest(3, 700_000) {
		err = fmt.Errorf("%d of 700000 bytes arrived", count)
	}
	return nil, err
}
