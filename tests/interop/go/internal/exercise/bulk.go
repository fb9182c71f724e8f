package exercise

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/yamux"

	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/pattern"
)

// Generation is set by main: which yamux this is.
var Generation = "unknown"

// bulkUp sends d.Bytes. The answer must be read before our Close on yamux of 2019, hence an echo of the last byte's
// worth: "sink" answers after FIN, which only the newer one can read.
func (d *Driver) bulkUp() (journal.Fields, error) {
	began := time.Now()
	stream, err := d.open("sink")
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(stream, pattern.Reader(11, d.Bytes)); err != nil {
		return nil, err
	}
	_ = stream.Close()
	if Generation != "old" {
		line, err := bufio.NewReader(stream).ReadString('\n')
		if want := fmt.Sprintf("%s %d\n", pattern.Digest(11, d.Bytes), d.Bytes); line != want {
			return nil, fmt.Errorf("sink answered %q: %w", line, err)
		}
	}
	return Rate(began, d.Bytes), nil
}

func (d *Driver) bulkDown() (journal.Fields, error) {
	began := time.Now()
	stream, err := d.open("source", 12, d.Bytes)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	err = expect(stream, 12, d.Bytes)
	return Rate(began, d.Bytes), err
}

// bulkBoth echoes d.Bytes over four streams at once, so that both directions are full all the time.
func (d *Driver) bulkBoth() (journal.Fields, error) {
	began := time.Now()
	err := d.Parallel(4, 4, func(i int) error { return d.echo(int64(i), d.Bytes/4) })
	return Rate(began, d.Bytes), err
}

// Rate is what a transfer that began then came to.
func Rate(began time.Time, size int64) journal.Fields {
	return journal.Fields{"megabytes_per_second": float64(size) / 1e6 / time.Since(began).Seconds()}
}

func (d *Driver) ping() (journal.Fields, error) {
	return d.PingDuring(func() error {
		return d.Parallel(4, 4, func(i int) error { return d.echo(int64(i), d.Bytes/16) })
	})
}

// PingDuring pings all the while that work runs, and says how long the slowest answer took.
func (d *Driver) PingDuring(work func() error) (journal.Fields, error) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	var slowest time.Duration
	var failed error
	count := 0
	wait.Add(1)
	go func() {
		defer wait.Done()
		for failed == nil {
			var took time.Duration
			took, failed = d.Session.Ping()
			slowest = max(slowest, took)
			count++
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	err := work()
	close(done)
	wait.Wait()
	return journal.Fields{"pings": count, "slowest_seconds": slowest.Seconds()}, errors.Join(err, failed)
}

// goAway: after our GoAway the peer opens nothing more, and what is in flight finishes.
func (d *Driver) goAway() (journal.Fields, error) {
	stream, err := d.open("echo")
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	if err := d.Session.GoAway(); err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(stream, pattern.Reader(3, 50_000)) }()
	if err := expect(io.LimitReader(stream, 50_000), 3, 50_000); err != nil {
		return nil, err
	}
	if d.Brief {
		return nil, nil
	}
	// A GoAway forbids the peer to open, not us. A peer that refuses us from then on is stricter than this library.
	return journal.Fields{"opens_after_go_away": d.echo(4, 1000) == nil}, nil
}

// RemoteSaidGoAway reports whether the peer forbade new streams.
func (d *Driver) RemoteSaidGoAway() bool {
	stream, err := d.Session.OpenStream()
	if err == nil {
		_ = stream.Close()
	}
	return errors.Is(err, yamux.ErrRemoteGoAway)
}
