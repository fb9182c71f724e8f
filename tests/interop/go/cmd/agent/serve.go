package main

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/hashicorp/yamux"
)

// counting counts accepted streams and is otherwise the session.
type counting struct {
	*yamux.Session
	counts *tally
}

func (c counting) Accept() (net.Conn, error) {
	stream, err := c.Session.Accept()
	if err == nil {
		c.counts.streams.Add(1)
	}
	return stream, err
}

// serve answers streams until the session ends.
func (a *agent) serve(session *yamux.Session) error {
	streams := counting{session, a.counts}
	if a.mode == "serve" {
		return http.Serve(streams, a.backend)
	}
	for {
		stream, err := streams.Accept()
		if err != nil {
			return err
		}
		if a.mode == "forward" {
			go a.forward(stream)
		} else {
			go a.pipe(stream)
		}
	}
}

// pipe joins a stream with a TCP connection to the local server. Either side's end is passed on; an error on one side
// closes the other at once.
func (a *agent) pipe(stream net.Conn) {
	defer stream.Close()
	local, err := net.Dial("tcp", a.target)
	if err != nil {
		_, _ = io.WriteString(stream, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return
	}
	defer local.Close()
	go func() {
		if _, err := io.Copy(local, stream); err != nil {
			_ = local.Close()
			return
		}
		_ = local.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(stream, local)
}

// forward parses one request, sends it to the local server as a client of its own, writes the answer and closes: the
// way of agents that use net/http on both sides.
func (a *agent) forward(stream net.Conn) {
	defer stream.Close()
	unread := bufio.NewReader(stream)
	request, err := http.ReadRequest(unread)
	if err != nil {
		return
	}
	if request.Header.Get("Upgrade") != "" {
		a.forwardUpgrade(stream, unread, request)
		return
	}
	request.URL.Scheme, request.URL.Host, request.RequestURI = "http", a.target, ""
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		_, _ = io.WriteString(stream, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return
	}
	defer answer.Body.Close()
	_ = answer.Write(stream)
}

func (a *agent) forwardUpgrade(stream net.Conn, unread *bufio.Reader, request *http.Request) {
	local, err := net.Dial("tcp", a.target)
	if err != nil {
		return
	}
	defer local.Close()
	if request.Write(local) != nil {
		return
	}
	go func() {
		_, _ = io.Copy(local, unread)
		_ = local.Close()
	}()
	_, _ = io.Copy(stream, local)
}
