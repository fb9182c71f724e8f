// Command relay is what ours is compared with: the first relay's shape (gorilla/websocket, hashicorp/yamux,
// httputil.ReverseProxy, one stream a request), with a token lookup and without anything else.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"
)

type relay struct {
	callers map[[32]byte]bool
	mu      sync.RWMutex
	devices map[string]*httputil.ReverseProxy
}

func main() {
	caller := flag.String("caller", "", "the token that may ask")
	flag.Parse()
	r := &relay{map[[32]byte]bool{sha256.Sum256([]byte(*caller)): true}, sync.RWMutex{}, map[string]*httputil.ReverseProxy{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"address": listener.Addr().String(), "pid": os.Getpid()})
	mux := http.NewServeMux()
	mux.HandleFunc("/tunnel/connect", r.connect)
	mux.HandleFunc("/api/devices/{id}/proxy/", r.forward)
	log.Fatal(http.Serve(listener, mux))
}

// connect takes any token, and its text as the device's id.
func (r *relay) connect(w http.ResponseWriter, request *http.Request) {
	upgrader := websocket.Upgrader{}
	socket, err := upgrader.Upgrade(w, request, nil)
	if err != nil {
		return
	}
	session, err := yamux.Server(newConn(socket), yamux.DefaultConfig())
	if err != nil {
		return
	}
	r.mu.Lock()
	r.devices[request.URL.Query().Get("token")] = proxyTo(session)
	r.mu.Unlock()
	<-session.CloseChan()
}

func proxyTo(session *yamux.Session) *httputil.ReverseProxy {
	open := func(context.Context, string, string) (net.Conn, error) { return session.Open() }
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			_, path, _ := strings.Cut(p.In.URL.Path, "/proxy")
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.URL.Path = "http", "device", path
			p.Out.Header.Del("Authorization")
			p.SetXForwarded()
		},
		// One stream a request, and each piece at once: events and pictures must not wait.
		Transport:     &http.Transport{DialContext: open, DisableKeepAlives: true, DisableCompression: true},
		FlushInterval: -1,
	}
}

func (r *relay) forward(w http.ResponseWriter, request *http.Request) {
	token := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
	r.mu.RLock()
	proxy, known := r.devices[request.PathValue("id")], r.callers[sha256.Sum256([]byte(token))]
	r.mu.RUnlock()
	switch {
	case !known:
		w.WriteHeader(http.StatusUnauthorized)
	case proxy == nil:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		proxy.ServeHTTP(w, request)
	}
}
