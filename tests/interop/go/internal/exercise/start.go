package exercise

import (
	"bufio"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/yamux"

	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
)

// Start begins a session in the role of that name.
func Start(wire *frames.Conn, role string, keepalive time.Duration, log *journal.Journal) *yamux.Session {
	config := yamux.DefaultConfig()
	config.KeepAliveInterval = keepalive
	begin := yamux.Client
	if role == "server" {
		begin = yamux.Server
	}
	session, err := begin(wire, config)
	if err != nil {
		log.Say("fatal", journal.Fields{"error": err.Error()})
		os.Exit(1)
	}
	return session
}

// Watch reports GoAways and resets that arrive.
func Watch(wire *frames.Conn, log *journal.Journal) {
	wire.Incoming.OnHeader = func(header frames.Header) {
		switch {
		case header.Type == frames.TypeGoAway:
			log.Say("goaway", journal.Fields{"code": header.Length})
		case header.Flags&frames.FlagRST != 0:
			log.Say("reset", journal.Fields{"stream": header.Stream})
		}
	}
}

// Runner runs a scenario by its name.
type Runner interface {
	Run(name string) (journal.Fields, error)
}

// RunAll runs the named scenarios ("all": every one), closes the session and returns the exit code.
func RunAll(driver *Driver, names string, log *journal.Journal) int {
	code := RunEach(driver, Scenarios, names, log)
	_ = driver.Session.Close()
	return code
}

// RunEach runs the named scenarios, reports each, and returns the exit code.
func RunEach(runner Runner, every []string, names string, log *journal.Journal) int {
	list := strings.Split(names, ",")
	if names == "all" {
		list = every
	}
	code := 0
	for _, name := range list {
		began := time.Now()
		measured, err := runner.Run(name)
		fields := journal.Fields{"scenario": name, "ok": err == nil, "seconds": time.Since(began).Seconds()}
		for key, value := range measured {
			fields[key] = value
		}
		if err != nil {
			code = 1
			fields["error"] = err.Error()
		}
		log.Say("scenario", fields)
	}
	log.Say("done", journal.Fields{"ok": code == 0})
	return code
}

// Orders are what a test says on standard input: accept · goaway · close · remote-goaway (asks whether the peer said
// it) · ping · streams (how many are open). The end of the input ends the program.
type Orders struct {
	Accept chan struct{}

	session *yamux.Session
	wire    *frames.Conn
	log     *journal.Journal
}

// NewOrders returns orders for one session.
func NewOrders(session *yamux.Session, wire *frames.Conn, log *journal.Journal) *Orders {
	return &Orders{Accept: make(chan struct{}), session: session, wire: wire, log: log}
}

// Take obeys until the input ends.
func (o *Orders) Take(from io.Reader) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		o.Obey(lines.Text())
	}
	os.Exit(0)
}

// Obey does what one line says.
func (o *Orders) Obey(line string) {
	switch strings.TrimSpace(line) {
	case "accept":
		close(o.Accept)
	case "goaway":
		_ = o.session.GoAway()
	case "close":
		_ = o.session.Close()
	case "remote-goaway":
		o.log.Say("remote_goaway", journal.Fields{"said": (&Driver{Session: o.session}).RemoteSaidGoAway()})
	case "ping":
		took, err := o.session.Ping()
		o.log.Say("ping", journal.Fields{"seconds": took.Seconds(), "error": text(err)})
	case "streams":
		o.log.Say("streams", journal.Fields{"open": o.session.NumStreams()})
	}
}
