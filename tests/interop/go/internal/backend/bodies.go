package backend

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"visiona.test/interop/internal/pattern"
)

func (b *Backend) bodies() {
	b.mux.HandleFunc("/echo", echo)
	b.mux.HandleFunc("/digest", digest)
	b.mux.HandleFunc("/bytes", bytesOut)
	b.mux.HandleFunc("/range", ranged)
	b.mux.HandleFunc("/headers", headers)
	b.mux.HandleFunc("/headers/", headers)
	b.mux.HandleFunc("/trailers", trailers)
	b.mux.HandleFunc("/status", status)
	b.mux.HandleFunc("/cookies", cookies)
	b.mux.HandleFunc("/html", html)
	b.mux.HandleFunc("/100", expectContinue)
}

// echo answers with the body it was sent: sized, with ?chunked=1 chunked, with ?stream=1 piece by piece while it is
// still arriving (the digest is then a trailer).
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Echo-Method", r.Method)
	w.Header().Set("X-Echo-Target", r.RequestURI)
	if flag(r, "stream") {
		echoStream(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body broke off: "+err.Error(), http.StatusBadRequest)
		return
	}
	sum := sha256.Sum256(body)
	w.Header().Set("X-Body-Sha256", hex.EncodeToString(sum[:]))
	w.Header().Set("X-Body-Bytes", strconv.Itoa(len(body)))
	if !flag(r, "chunked") {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
		return
	}
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for piece := range pieces(body, 7001) {
		_, _ = w.Write(piece)
		_ = http.NewResponseController(w).Flush()
	}
}

func pieces(body []byte, size int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(body) > 0 {
			n := min(size, len(body))
			if !yield(body[:n]) {
				return
			}
			body = body[n:]
		}
	}
}

func echoStream(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	w.Header().Set("Trailer", "X-Body-Sha256, X-Body-Bytes")
	w.WriteHeader(http.StatusOK)
	_ = control.Flush()
	sum, total, buffer := sha256.New(), 0, make([]byte, 32768)
	for {
		n, err := r.Body.Read(buffer)
		sum.Write(buffer[:n])
		total += n
		if _, failed := w.Write(buffer[:n]); failed != nil {
			return
		}
		_ = control.Flush()
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	w.Header().Set("X-Body-Sha256", hex.EncodeToString(sum.Sum(nil)))
	w.Header().Set("X-Body-Bytes", strconv.Itoa(total))
}

// digest says what arrived: {"sha256", "length"}; an upload that broke off is a 400 that says how far it came.
func digest(w http.ResponseWriter, r *http.Request) {
	sum, length, err := pattern.ReadAll(r.Body)
	answer := map[string]any{
		"sha256": sum, "length": length, "method": r.Method, "target": r.RequestURI,
		"content_length": r.ContentLength, "transfer_encoding": r.TransferEncoding, "trailers": r.Trailer,
	}
	if err != nil {
		answer["error"] = err.Error()
		answerJSON(w, http.StatusBadRequest, answer)
		return
	}
	answerJSON(w, http.StatusOK, answer)
}

// digestUpTo keeps the first byte of a long answer from waiting for the digest of the last.
const digestUpTo = 8 << 20

// bytesOut sends ?n= bytes of the pattern ?seed=, sized or with ?chunked=1 chunked; ?ms= pauses after each 64 KiB.
func bytesOut(w http.ResponseWriter, r *http.Request) {
	n, seed := number(r, "n", 1024), number(r, "seed", 1)
	w.Header().Set("Content-Type", "application/octet-stream")
	if n <= digestUpTo {
		w.Header().Set("X-Body-Sha256", pattern.Digest(seed, n))
	}
	if !flag(r, "chunked") {
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
	pause := time.Duration(number(r, "ms", 0)) * time.Millisecond
	source, buffer := pattern.Reader(seed, n), make([]byte, 65536)
	for r.Context().Err() == nil {
		got, err := source.Read(buffer)
		if err != nil {
			return
		}
		if _, err := w.Write(buffer[:got]); err != nil {
			return
		}
		if pause > 0 {
			_ = http.NewResponseController(w).Flush()
			time.Sleep(pause)
		}
	}
}

// ranged serves 1 MiB of the pattern with ETag, Range, multi-range and If-Range as net/http knows them.
func ranged(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(pattern.Reader(number(r, "seed", 1), number(r, "n", 1<<20)))
	w.Header().Set("ETag", `"pattern-1"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), bytes.NewReader(body))
}

// headers answers with the request as this server saw it.
func headers(w http.ResponseWriter, r *http.Request) {
	answerJSON(w, http.StatusOK, map[string]any{
		"method": r.Method, "target": r.RequestURI, "protocol": r.Proto, "host": r.Host,
		"headers": r.Header, "content_length": r.ContentLength, "transfer_encoding": r.TransferEncoding,
		"close": r.Close, "remote_address": r.RemoteAddr,
	})
}

func trailers(w http.ResponseWriter, r *http.Request) {
	_, _, _ = pattern.ReadAll(r.Body)
	w.Header().Set("Trailer", "X-Count, X-Note")
	_, _ = io.WriteString(w, "three\nshort\nlines\n")
	w.Header().Set("X-Count", "3")
	w.Header().Set("X-Note", fmt.Sprintf("request trailers: %d", len(r.Trailer)))
}

// status answers ?code= with a short body where one is allowed; ?location= sets a redirect's target.
func status(w http.ResponseWriter, r *http.Request) {
	code := int(number(r, "code", 200))
	if location := r.URL.Query().Get("location"); location != "" {
		w.Header().Set("Location", location)
	}
	w.Header().Set("X-Code", strconv.Itoa(code))
	w.WriteHeader(code)
	if code != http.StatusNoContent && code != http.StatusNotModified {
		_, _ = fmt.Fprintf(w, "status %d\n", code)
	}
}

func cookies(w http.ResponseWriter, _ *http.Request) {
	for _, value := range []string{
		"theirs=1; Path=/", "deep=1; Path=/api/camera; HttpOnly", "domain=1; Domain=example.test; Path=/",
		"visiona_session=stolen; Path=/", "__Host-visiona_session=stolen; Path=/; Secure",
		"VISIONA_SESSION=case; Path=/", "nopath=1", "expired=1; Max-Age=0; Path=/",
	} {
		w.Header().Add("Set-Cookie", value)
	}
	w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	w.Header().Set("Clear-Site-Data", `"*"`)
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	w.Header().Set("Service-Worker-Allowed", "/")
	_, _ = io.WriteString(w, "cookies\n")
}

func html(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<!doctype html><title>edge unit</title><script>fetch('/api/devices')</script>\n")
}

// expectContinue reads the body (net/http then sends 100 Continue), or with ?refuse=1 answers 417 at once.
func expectContinue(w http.ResponseWriter, r *http.Request) {
	if flag(r, "refuse") {
		w.Header().Set("Connection", "close")
		http.Error(w, "not wanted", http.StatusExpectationFailed)
		return
	}
	digest(w, r)
}
