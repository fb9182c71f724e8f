package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
)

// takeOrders reads one order a line from the test; the end of the input ends the program, so that a test that dies
// leaves no agent behind. Orders: counters · drop (TCP reset) · close · goaway · open N (streams toward the relay,
// which the protocol does not have) · stop-reading SECONDS · inject TYPE FLAGS STREAM LENGTH (a raw frame) · quit.
func (a *agent) takeOrders(from io.Reader) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		a.mu.Lock()
		a.obey(words)
		a.mu.Unlock()
	}
	os.Exit(0)
}

func (a *agent) obey(words []string) {
	argument := func(index int) int {
		if index >= len(words) {
			return 0
		}
		value, _ := strconv.Atoi(words[index])
		return value
	}
	switch {
	case words[0] == "counters":
		a.log.Say("counters", a.backend.Counts())
	case words[0] == "quit":
		os.Exit(0)
	case a.session == nil:
		a.log.Say("not_connected", journal.Fields{"order": words[0]})
	case words[0] == "drop":
		a.drop()
	case words[0] == "close":
		_ = a.session.Close()
	case words[0] == "goaway":
		_ = a.session.GoAway()
	case words[0] == "open":
		a.open(argument(1))
	case words[0] == "stop-reading":
		a.wire.StopReading(time.Duration(argument(1)) * time.Second)
	case words[0] == "inject":
		_ = a.wire.Inject(frames.Header{
			Type: uint8(argument(1)), Flags: uint16(argument(2)), Stream: uint32(argument(3)), Length: uint32(argument(4)),
		})
	default:
		a.log.Say("unknown_order", journal.Fields{"order": words[0]})
	}
}

func (a *agent) drop() {
	if tcp, ok := a.socket.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = a.socket.Close()
}

// open opens streams that the protocol does not have, and says how each ended.
func (a *agent) open(count int) {
	session := a.session
	for range count {
		go func() {
			stream, err := session.OpenStream()
			if err != nil {
				a.log.Say("open_failed", journal.Fields{"error": err.Error()})
				return
			}
			_ = stream.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, err = stream.Read(make([]byte, 1))
			a.log.Say("opened", journal.Fields{"stream": stream.StreamID(), "ended": text(err)})
		}()
	}
}
