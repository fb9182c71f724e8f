// Command stub is as many agents as it is given tokens, each as cheap as an agent can be: it reads the relay's frames,
// answers each request itself from memory, and sends all answers to one read in one message. The relay is the limit.
//
// Connections that end, or are refused, are made again at once and then every second (or as Retry-After says). Each
// change is a line of JSON on standard output.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

var connected, refused, failed atomic.Int64

func main() {
	relay := flag.String("relay", "ws://127.0.0.1:3800", "base URL of the relay")
	spread := flag.Bool("spread", false, "each agent dials from a loopback address of its own, as a fleet does")
	every := flag.Duration("every", 100*time.Millisecond, "how often the counts are said")
	flag.Parse()
	tokens := bufio.NewScanner(os.Stdin)
	for number := 0; tokens.Scan(); number++ {
		dialer := websocket.Dialer{HandshakeTimeout: 30 * time.Second}
		if *spread {
			from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(number/250), byte(number%250+1))}}
			dialer.NetDialContext = from.DialContext
		}
		go stay(dialer, *relay, strings.TrimSpace(tokens.Text()))
	}
	began := time.Now()
	lines := json.NewEncoder(os.Stdout)
	last := [3]int64{-1}
	for {
		now := [3]int64{connected.Load(), refused.Load(), failed.Load()}
		if now != last {
			if lines.Encode(map[string]any{
				"at": time.Since(began).Seconds(), "connected": now[0], "refused": now[1], "failed": now[2],
			}) != nil {
				log.Fatal("nobody listens")
			}
			last = now
		}
		time.Sleep(*every)
	}
}

func stay(dialer websocket.Dialer, relay, token string) {
	for {
		socket, answer, err := dialer.Dial(relay+"/tunnel/connect?token="+token, nil)
		if err != nil {
			time.Sleep(patience(answer))
			continue
		}
		connected.Add(1)
		serve(socket)
		connected.Add(-1)
	}
}

func patience(answer *http.Response) time.Duration {
	seconds := 1.0
	if answer == nil {
		failed.Add(1)
	} else {
		refused.Add(1)
		if asked, err := strconv.ParseFloat(answer.Header.Get("Retry-After"), 64); err == nil {
			seconds = asked
		}
	}
	return time.Duration((seconds + rand.Float64()/2) * float64(time.Second))
}
