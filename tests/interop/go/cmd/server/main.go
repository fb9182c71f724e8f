// Command server stands in for the relay: it accepts an agent's WebSocket at /tunnel/connect, takes the server's role
// of hashicorp/yamux, runs scenarios against the agent through streams of its own, and prints how each went.
package main

import (
	"flag"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"visiona.test/interop/internal/backend"
	"visiona.test/interop/internal/exercise"
	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/wsconn"
)

// Generation is set by the linker: which yamux this program was built with.
var Generation = "unknown"

type relay struct {
	tokenPrefix, scenarios, language string
	streams                          int
	bytes                            int64
	refuse, refuseCount              int
	stay                             bool
	keepalive                        time.Duration

	log     *journal.Journal
	refused atomic.Int64
	mu      sync.Mutex
	wire    *frames.Conn
	socket  *websocket.Conn
	orders  *exercise.Orders
}

func main() {
	r := &relay{log: journal.New(nil)}
	listen := flag.String("listen", "127.0.0.1:0", "where agents connect")
	flag.StringVar(&r.tokenPrefix, "token-prefix", "vAs_", "a token must begin so; anything else is a 401")
	flag.StringVar(&r.scenarios, "scenarios", "all", "comma separated, or all; empty: hold the tunnel and do nothing")
	flag.StringVar(&r.language, "language", "http", "http: the agent forwards to a backend; exercise: internal/exercise")
	flag.IntVar(&r.streams, "streams", 10_000, "streams of the scenario requests (or streams)")
	flag.Int64Var(&r.bytes, "bytes", 100<<20, "bytes of the bulk scenarios")
	flag.IntVar(&r.refuse, "refuse", 0, "answer connects with this status")
	flag.IntVar(&r.refuseCount, "refuse-count", 1<<30, "… but only the first so many")
	flag.BoolVar(&r.stay, "stay", false, "go on after the scenarios: accept the agent again and again")
	flag.DurationVar(&r.keepalive, "keepalive", 10*time.Second, "yamux keepalive")
	flag.Parse()
	exercise.Generation = Generation

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		r.log.Say("fatal", journal.Fields{"error": err.Error()})
		os.Exit(1)
	}
	r.log.Say("listening", journal.Fields{
		"generation": Generation, "relay": "ws://" + listener.Addr().String(), "backend": r.serveBackend(),
	})
	go r.takeOrders(os.Stdin)
	http.HandleFunc("/tunnel/connect", r.connect)
	_ = http.Serve(listener, nil)
}

// serveBackend starts the local server that the agent under test is to forward to.
func (r *relay) serveBackend() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.log.Say("fatal", journal.Fields{"error": err.Error()})
		os.Exit(1)
	}
	go func() { _ = http.Serve(listener, backend.New(r.log, nil)) }()
	return listener.Addr().String()
}

func (r *relay) connect(w http.ResponseWriter, request *http.Request) {
	token, how := request.URL.Query().Get("token"), "query"
	if token == "" {
		token, how = strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "), "bearer"
	}
	status := 0
	switch {
	case !strings.HasPrefix(token, r.tokenPrefix):
		status = http.StatusUnauthorized
	case r.refuse != 0 && r.refused.Load() < int64(r.refuseCount):
		status = r.refuse
	}
	if status != 0 {
		r.sayNo(w, status)
		return
	}
	upgrader := websocket.Upgrader{EnableCompression: false}
	socket, err := upgrader.Upgrade(w, request, nil)
	if err != nil {
		r.log.Say("upgrade_failed", journal.Fields{"error": err.Error()})
		return
	}
	r.log.Say("agent_connected", journal.Fields{
		"auth": how, "agent": request.Header.Get("X-Visiona-Agent"), "instance": request.Header.Get("X-Visiona-Instance"),
		"extensions": request.Header.Get("Sec-WebSocket-Extensions"), "origin": request.Header.Get("Origin"),
	})
	r.hold(socket)
}

func (r *relay) sayNo(w http.ResponseWriter, status int) {
	r.refused.Add(1)
	r.log.Say("agent_refused", journal.Fields{"status": status})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"success":false,"error":{"code":"UNAUTHENTICATED","message":"no"}}`))
}

// hold runs the scenarios over one agent's tunnel.
func (r *relay) hold(socket *websocket.Conn) {
	wire := frames.Wrap(wsconn.New(socket))
	exercise.Watch(wire, r.log)
	session := exercise.Start(wire, "server", r.keepalive, r.log)
	r.mu.Lock()
	r.wire, r.socket, r.orders = wire, socket, exercise.NewOrders(session, wire, r.log)
	r.mu.Unlock()
	driver := &exercise.Driver{Session: session, Wire: wire, Streams: r.streams, Bytes: r.bytes}
	code := 0
	switch {
	case r.scenarios == "":
		<-session.CloseChan()
	case r.language == "exercise":
		code = exercise.RunAll(driver, r.scenarios, r.log)
	default:
		code = exercise.RunEach(&overHTTP{driver}, httpScenarios, r.scenarios, r.log)
		_ = session.Close()
	}
	r.log.Say("agent_gone", journal.Fields{})
	if !r.stay {
		os.Exit(code)
	}
}
