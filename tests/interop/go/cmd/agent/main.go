// Command agent is an edge unit as they exist today: gorilla/websocket to the relay, hashicorp/yamux with its default
// configuration over it, an HTTP server behind. It prints what happens to it as JSON lines, and takes orders on its
// standard input (see orders.go).
package main

import (
	"flag"
	"net"
	"net/http"
	"os"
	"time"

	"visiona.test/interop/internal/backend"
	"visiona.test/interop/internal/journal"
)

// Generation is set by the linker: which yamux this program was built with.
var Generation = "unknown"

type options struct {
	relay, token, header, mode, target, agentHeader, instance, origin, caFile string
	once, compression                                                         bool
	keepalive, acceptDelay                                                    time.Duration
}

func parse() options {
	var o options
	flag.StringVar(&o.relay, "relay", "ws://127.0.0.1:3800", "base URL of the relay; /tunnel/connect is added")
	flag.StringVar(&o.token, "token", "", "session token (vAs_…)")
	flag.StringVar(&o.header, "auth", "query", "how the token travels: query (old agents) or bearer (new ones)")
	flag.StringVar(&o.mode, "mode", "serve", "serve: http.Server on the streams; pipe: bytes to -target; forward: one request a stream")
	flag.StringVar(&o.target, "target", "", "TCP address behind pipe and forward; empty: the built-in backend")
	flag.StringVar(&o.agentHeader, "agent-header", "", "value of X-Visiona-Agent")
	flag.StringVar(&o.instance, "instance", "", "value of X-Visiona-Instance")
	flag.StringVar(&o.origin, "origin", "", "send an Origin header, as a browser would")
	flag.StringVar(&o.caFile, "ca-file", "", "PEM file of the authorities to trust for wss://")
	flag.BoolVar(&o.compression, "compression", false, "offer permessage-deflate")
	flag.BoolVar(&o.once, "once", false, "exit when the first connection ends or is refused")
	flag.DurationVar(&o.keepalive, "keepalive", 10*time.Second, "yamux keepalive; 0: none")
	flag.DurationVar(&o.acceptDelay, "accept-delay", 0, "wait so long before the first accept (fills the backlog)")
	flag.Parse()
	return o
}

func main() {
	o, log := parse(), journal.New(nil)
	counts := &tally{}
	local := backend.New(log, counts.fields)
	address := serveLocally(local, log)
	if o.target == "" {
		o.target = address
	}
	log.Say("started", journal.Fields{
		"generation": Generation, "backend": address, "pid": os.Getpid(), "mode": o.mode, "target": o.target,
	})
	agent := &agent{options: o, log: log, backend: local, counts: counts}
	go agent.takeOrders(os.Stdin)
	for attempt := 1; ; attempt++ {
		lived := agent.connectOnce(attempt)
		if o.once {
			return
		}
		if lived > time.Minute || (lived > 0 && attempt > 1) {
			attempt = 1
		}
		time.Sleep(backoff(attempt))
	}
}

// backoff is 1, 2, 4 … 30 seconds.
func backoff(attempt int) time.Duration {
	seconds := 1 << min(attempt-1, 5)
	return time.Duration(min(seconds, 30)) * time.Second
}

func serveLocally(handler http.Handler, log *journal.Journal) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Say("fatal", journal.Fields{"error": err.Error()})
		os.Exit(1)
	}
	go func() { _ = http.Serve(listener, handler) }()
	return listener.Addr().String()
}
