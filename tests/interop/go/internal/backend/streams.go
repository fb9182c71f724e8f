package backend

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/pattern"
)

func (b *Backend) streams() {
	b.mux.HandleFunc("/slow", slow)
	b.mux.HandleFunc("/sse", serverSentEvents)
	b.mux.HandleFunc("/mjpeg", motionJPEG)
	b.mux.HandleFunc("/hang", b.hang)
	b.mux.HandleFunc("/stall", stall)
}

// slow waits ?ms= before its head, and notices when nobody waits any more.
func slow(w http.ResponseWriter, r *http.Request) {
	if wait(r, number(r, "ms", 1000)) {
		_, _ = io.WriteString(w, "slow\n")
	}
}

// wait reports whether the time passed without the request being cancelled.
func wait(r *http.Request, milliseconds int64) bool {
	select {
	case <-r.Context().Done():
		return false
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
		return true
	}
}

// serverSentEvents sends ?n= events (0: for ever), one each ?ms=.
func serverSentEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	count, pause := number(r, "n", 0), number(r, "ms", 50)
	for id := int64(1); count == 0 || id <= count; id++ {
		if _, err := fmt.Fprintf(w, "id: %d\nevent: detection\ndata: {\"n\":%d}\n\n", id, id); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		if !wait(r, pause) {
			return
		}
	}
}

// motionJPEG sends ?n= pictures (0: for ever) of ?size= bytes, one each ?ms=.
func motionJPEG(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
	w.WriteHeader(http.StatusOK)
	count, pause, size := number(r, "n", 0), number(r, "ms", 33), number(r, "size", 20000)
	for id := int64(1); count == 0 || id <= count; id++ {
		_, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", size)
		if err == nil {
			_, err = io.Copy(w, pattern.Reader(id, size))
		}
		if err == nil {
			_, err = io.WriteString(w, "\r\n")
		}
		if err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		if !wait(r, pause) {
			return
		}
	}
	_, _ = io.WriteString(w, "--frame--\r\n")
}

// hang never answers and reads no body; ServeHTTP reports the cancellation.
func (b *Backend) hang(_ http.ResponseWriter, r *http.Request) {
	b.journal.Say("hanging", journal.Fields{"request_id": r.Header.Get("X-Request-Id")})
	<-r.Context().Done()
}

// stall sends a head, ?n= bytes of a longer body, and then nothing.
func stall(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "1000000")
	w.WriteHeader(http.StatusOK)
	_, _ = io.Copy(w, pattern.Reader(1, number(r, "n", 0)))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

var upgrader = websocket.Upgrader{
	Subprotocols: []string{"visiona.v2", "visiona.v1", "chat"},
	CheckOrigin:  fromThisMachine,
}

// fromThisMachine is the rule of the existing local tool: a browser's Origin must be localhost, or absent.
func fromThisMachine(r *http.Request) bool {
	switch origin := r.Header.Get("Origin"); {
	case origin == "":
		return true
	default:
		for _, prefix := range []string{"http://localhost", "http://127.0.0.1", "https://localhost"} {
			if len(origin) >= len(prefix) && origin[:len(prefix)] == prefix {
				return true
			}
		}
	}
	return false
}

// webSocket echoes messages of either type. Text commands: "close CODE REASON" closes so, "push N" sends N pattern
// bytes, "drop" ends the connection without a Close frame, "protocol" tells the subprotocol.
func (b *Backend) webSocket(w http.ResponseWriter, r *http.Request) {
	socket, err := upgrader.Upgrade(w, r, http.Header{"X-Upgraded": {"yes"}})
	if err != nil {
		return
	}
	b.sockets.Add(1)
	defer b.sockets.Add(-1)
	defer socket.Close()
	for {
		kind, message, err := socket.ReadMessage()
		if err != nil {
			b.sayClosed(r, err)
			return
		}
		if kind == websocket.TextMessage && command(socket, string(message)) {
			continue
		}
		if socket.WriteMessage(kind, message) != nil {
			return
		}
	}
}
