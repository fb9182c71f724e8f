// Command record writes byte traces: two real yamux peers speak over loopback, and what each of them read and wrote is
// kept in the order in which it happened there. tests/interop/test_traces.py lets our session take the recorded end's
// place. tests/interop/record_traces.py runs it.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"

	"visiona.test/interop/internal/exercise"
	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/pattern"
)

// Generation is set by the linker: which yamux this program was built with.
var Generation = "unknown"

var scenarios = []string{
	"streams", "half_close_ours", "half_close_theirs", "reset_ours", "reset_theirs", "backlog", "window", "bulk_up",
	"bulk_down", "go_away",
}

func main() {
	into := flag.String("into", "traces", "folder for the traces")
	flag.Parse()
	// Short periods pack well, and the replay compares with digests that are written beside the bytes.
	exercise.Generation, pattern.Period = Generation, 127
	for _, scenario := range scenarios {
		traces := append(record(scenario, "server", "client"), record(scenario, "client", "server")...)
		text, err := json.MarshalIndent(map[string]any{
			"scenario": scenario, "yamux": Generation, "traces": traces,
		}, "", " ")
		if err != nil {
			log.Fatal(err)
		}
		name := filepath.Join(*into, scenario+"-"+Generation+".json")
		if err := os.WriteFile(name, append(text, '\n'), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// record plays one scenario and returns what both ends saw.
func record(scenario, driver, responder string) []*trace {
	quiet := journal.New(io.Discard)
	left, right := connected()
	traces := []*trace{newTrace(driver, true), newTrace(responder, false)}
	wires := []*frames.Conn{frames.Wrap(left), frames.Wrap(right)}
	wires[0].Tee, wires[1].Tee = traces[0].see, traces[1].see
	drives := exercise.Start(wires[0], driver, time.Minute, quiet)
	answers := exercise.Start(wires[1], responder, time.Minute, quiet)
	go func() { _ = exercise.NewResponder(quiet, wires[1]).Serve(answers) }()
	d := &exercise.Driver{Session: drives, Wire: wires[0], Streams: 8, Bytes: 400_000, Brief: true}
	if _, err := d.Run(scenario); err != nil {
		log.Fatalf("%s: %v", scenario, err)
	}
	_, _ = drives.Ping()
	_, _ = answers.Ping()
	time.Sleep(50 * time.Millisecond)
	for _, trace := range traces {
		trace.finish()
	}
	_ = drives.Close()
	_ = answers.Close()
	return traces
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
