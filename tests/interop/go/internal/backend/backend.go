// Package backend is the local HTTP server behind an agent: the camera, the accelerators, and every way in which such
// a server can behave or misbehave.
package backend

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"visiona.test/interop/internal/journal"
)

// Backend answers requests and counts them.
type Backend struct {
	journal   *journal.Journal
	devices   *devices
	mux       *http.ServeMux
	requests  atomic.Int64
	active    atomic.Int64
	cancelled atomic.Int64
	sockets   atomic.Int64
	extra     func() map[string]any
}

// New returns a backend; extra, when given, adds fields to /counters.
func New(log *journal.Journal, extra func() map[string]any) *Backend {
	b := &Backend{journal: log, devices: newDevices(), mux: http.NewServeMux(), extra: extra}
	b.bodies()
	b.streams()
	b.misbehaviour()
	b.localTool()
	b.mux.HandleFunc("/ws", b.webSocket)
	b.mux.HandleFunc("/ws/", b.webSocket)
	b.mux.HandleFunc("/counters", b.counters)
	return b
}

// ServeHTTP counts, answers, and reports a request whose context was cancelled before it was answered.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.requests.Add(1)
	b.active.Add(1)
	began := time.Now()
	defer func() {
		b.active.Add(-1)
		if r.Context().Err() != nil {
			b.cancelled.Add(1)
			b.journal.Say("request_cancelled", journal.Fields{
				"method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery,
				"seconds": time.Since(began).Seconds(), "request_id": r.Header.Get("X-Request-Id"),
			})
		}
	}()
	b.mux.ServeHTTP(w, r)
}

// Counts says what has happened so far.
func (b *Backend) Counts() map[string]any {
	counts := map[string]any{
		"requests": b.requests.Load(), "active": b.active.Load(),
		"cancelled": b.cancelled.Load(), "sockets": b.sockets.Load(),
	}
	if b.extra != nil {
		for key, value := range b.extra() {
			counts[key] = value
		}
	}
	return counts
}

func (b *Backend) counters(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, b.Counts()) }

func answerJSON(w http.ResponseWriter, status int, value any) {
	body, _ := json.Marshal(value)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func number(r *http.Request, name string, otherwise int64) int64 {
	value, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil {
		return otherwise
	}
	return value
}

func flag(r *http.Request, name string) bool {
	value := r.URL.Query().Get(name)
	return value != "" && value != "0" && value != "false"
}
