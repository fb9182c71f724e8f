package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"

	"visiona.test/interop/internal/backend"
	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/wsconn"
)

type tally struct{ streams, resets, fins, goaways, pings, connections atomic.Int64 }

func (t *tally) fields() map[string]any {
	return map[string]any{
		"streams": t.streams.Load(), "resets": t.resets.Load(), "fins": t.fins.Load(),
		"goaways": t.goaways.Load(), "pings": t.pings.Load(), "connections": t.connections.Load(),
	}
}

type agent struct {
	options
	log     *journal.Journal
	backend *backend.Backend
	counts  *tally

	mu      sync.Mutex
	session *yamux.Session
	wire    *frames.Conn
	socket  net.Conn // the TCP connection under everything
}

// connectOnce dials, serves until the tunnel ends, and says how long it lived (0: it never did).
func (a *agent) connectOnce(attempt int) time.Duration {
	socket, answer, err := a.dial()
	if err != nil {
		a.sayRefused(answer, err, attempt)
		return 0
	}
	began := time.Now()
	wire := frames.Wrap(wsconn.New(socket))
	wire.Incoming.OnHeader = a.watch
	session, err := yamux.Client(wire, a.configuration())
	if err != nil {
		a.log.Say("fatal", journal.Fields{"error": err.Error()})
		return 0
	}
	a.mu.Lock()
	a.session, a.wire, a.socket = session, wire, socket.UnderlyingConn()
	a.mu.Unlock()
	a.counts.connections.Add(1)
	a.log.Say("connected", journal.Fields{"attempt": attempt, "local_address": socket.LocalAddr().String()})
	time.Sleep(a.acceptDelay)
	err = a.serve(session)
	_ = session.Close()
	lived := time.Since(began)
	a.log.Say("disconnected", journal.Fields{
		"error": text(err), "seconds": lived.Seconds(), "counts": a.backend.Counts(),
	})
	return lived
}

func (a *agent) dial() (*websocket.Conn, *http.Response, error) {
	target := strings.TrimRight(a.relay, "/") + "/tunnel/connect"
	headers := http.Header{}
	if a.header == "bearer" {
		headers.Set("Authorization", "Bearer "+a.token)
	} else {
		target += "?token=" + url.QueryEscape(a.token)
	}
	if a.agentHeader != "" {
		headers.Set("X-Visiona-Agent", a.agentHeader)
	}
	if a.instance != "" {
		headers.Set("X-Visiona-Instance", a.instance)
	}
	if a.origin != "" {
		headers.Set("Origin", a.origin)
	}
	dialer := websocket.Dialer{HandshakeTimeout: 15 * time.Second, EnableCompression: a.compression}
	if a.caFile != "" {
		pem, err := os.ReadFile(a.caFile)
		if err != nil {
			return nil, nil, err
		}
		authorities := x509.NewCertPool()
		authorities.AppendCertsFromPEM(pem)
		dialer.TLSClientConfig = &tls.Config{RootCAs: authorities}
	}
	return dialer.Dial(target, headers)
}

func (a *agent) configuration() *yamux.Config {
	config := yamux.DefaultConfig()
	config.EnableKeepAlive = a.keepalive > 0
	if a.keepalive > 0 {
		config.KeepAliveInterval = a.keepalive
	}
	return config
}

func (a *agent) sayRefused(answer *http.Response, err error, attempt int) {
	if answer == nil {
		a.log.Say("dial_failed", journal.Fields{"attempt": attempt, "error": err.Error()})
		return
	}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 65536))
	a.log.Say("refused", journal.Fields{
		"attempt": attempt, "status": answer.StatusCode, "body": string(body), "error": err.Error(),
		"retry_after": answer.Header.Get("Retry-After"), "content_type": answer.Header.Get("Content-Type"),
	})
}

// watch sees each frame from the relay.
func (a *agent) watch(header frames.Header) {
	switch {
	case header.Type == frames.TypeGoAway:
		a.counts.goaways.Add(1)
		a.log.Say("goaway", journal.Fields{"code": header.Length})
	case header.Type == frames.TypePing && header.Flags&frames.FlagSYN != 0:
		a.counts.pings.Add(1)
	case header.Flags&frames.FlagRST != 0:
		a.counts.resets.Add(1)
		a.log.Say("reset", journal.Fields{"stream": header.Stream})
	case header.Flags&frames.FlagFIN != 0:
		a.counts.fins.Add(1)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
