// Command raw is one yamux peer over plain TCP (or its standard input and output): no WebSocket, no HTTP, so that a
// sans-IO session can be exercised alone. It drives scenarios or answers them (internal/exercise).
package main

import (
	"flag"
	"io"
	"net"
	"os"
	"time"

	"visiona.test/interop/internal/exercise"
	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
)

// Generation is set by the linker: which yamux this program was built with.
var Generation = "unknown"

func main() {
	connect := flag.String("connect", "", "TCP address to dial")
	stdio := flag.Bool("stdio", false, "speak yamux on standard input and output (the journal goes to standard error)")
	role := flag.String("role", "client", "yamux role: client or server")
	drive := flag.String("drive", "", "scenarios to run, comma separated, or all; empty: answer the peer's")
	streams := flag.Int("streams", 10_000, "streams in the scenario of that name")
	bytes := flag.Int64("bytes", 100<<20, "bytes of the bulk scenarios")
	acceptAfter := flag.Bool("accept-on-order", false, "accept nothing until standard input says accept")
	keepalive := flag.Duration("keepalive", 30*time.Second, "yamux keepalive")
	flag.Parse()
	exercise.Generation = Generation

	log := journal.New(os.Stdout)
	var under net.Conn
	if *stdio {
		log = journal.New(os.Stderr)
		under = pipes{}
	} else {
		dialled, err := net.Dial("tcp", *connect)
		if err != nil {
			log.Say("fatal", journal.Fields{"error": err.Error()})
			os.Exit(1)
		}
		under = dialled
	}
	wire := frames.Wrap(under)
	exercise.Watch(wire, log)
	session := exercise.Start(wire, *role, *keepalive, log)
	log.Say("started", journal.Fields{"generation": Generation, "role": *role})
	orders := exercise.NewOrders(session, wire, log)
	if !*stdio {
		go orders.Take(os.Stdin)
	}
	if *drive != "" {
		driver := &exercise.Driver{Session: session, Wire: wire, Streams: *streams, Bytes: *bytes}
		os.Exit(exercise.RunAll(driver, *drive, log))
	}
	if *acceptAfter {
		<-orders.Accept
	}
	err := exercise.NewResponder(log, wire).Serve(session)
	log.Say("session_ended", journal.Fields{"error": err.Error()})
}

type pipes struct{ net.Conn }

func (pipes) Read(into []byte) (int, error)  { return os.Stdin.Read(into) }
func (pipes) Write(data []byte) (int, error) { return os.Stdout.Write(data) }
func (pipes) Close() error                   { return io.EOF }
func (pipes) LocalAddr() net.Addr            { return &net.UnixAddr{Name: "stdio"} }
func (pipes) RemoteAddr() net.Addr           { return &net.UnixAddr{Name: "stdio"} }
