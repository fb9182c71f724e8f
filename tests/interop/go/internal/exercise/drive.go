package exercise

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/yamux"

	"visiona.test/interop/internal/frames"
	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/pattern"
)

// Driver opens streams toward a responder and checks what comes back.
type Driver struct {
	Session *yamux.Session
	Wire    *frames.Conn
	Streams int   // how many the scenario "streams" opens
	Bytes   int64 // how much "bulk" moves each way
	Brief   bool  // for recordings: fewer rounds of the same
}

// Scenarios are the names that Run knows, in the order in which "all" runs them: go-away comes last.
var Scenarios = []string{
	"streams", "half_close_ours", "half_close_theirs", "reset_ours", "reset_theirs", "backlog", "window", "ping",
	"bulk_up", "bulk_down", "bulk_both", "go_away",
}

// Run runs one scenario and returns what it measured.
func (d *Driver) Run(name string) (journal.Fields, error) {
	scenario := map[string]func() (journal.Fields, error){
		"streams": d.streams, "half_close_ours": d.halfCloseOurs, "half_close_theirs": d.halfCloseTheirs,
		"reset_ours": d.resetOurs, "reset_theirs": d.resetTheirs, "backlog": d.backlog, "window": d.window,
		"ping": d.ping, "bulk_up": d.bulkUp, "bulk_down": d.bulkDown, "bulk_both": d.bulkBoth, "go_away": d.goAway,
	}[name]
	if scenario == nil {
		return nil, fmt.Errorf("no scenario %q", name)
	}
	return scenario()
}

// open opens a stream and says the first line on it.
func (d *Driver) open(verb string, arguments ...any) (*yamux.Stream, error) {
	stream, err := d.Session.OpenStream()
	if err != nil {
		return nil, err
	}
	for _, argument := range arguments {
		verb += fmt.Sprintf(" %v", argument)
	}
	_, err = io.WriteString(stream, verb+"\n")
	return stream, err
}

// streams: d.Streams echoes of 0 to 3,000 bytes, 64 at a time.
func (d *Driver) streams() (journal.Fields, error) {
	return nil, d.Parallel(d.Streams, 64, func(i int) error { return d.echo(int64(i), int64(i*37%3001)) })
}

// Parallel runs one(0) … one(count-1), so many lanes at a time, and returns the first failure.
func (d *Driver) Parallel(count, lanes int, one func(int) error) error {
	var wait sync.WaitGroup
	failures := make(chan error, lanes)
	for lane := range lanes {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := lane; i < count; i += lanes {
				if err := one(i); err != nil {
					failures <- fmt.Errorf("stream %d of %d: %w", i, count, err)
					return
				}
			}
		}()
	}
	wait.Wait()
	close(failures)
	return <-failures
}

// echo cannot half-close and then read on yamux of 2019 (its Read says EOF after a local Close), so it counts.
func (d *Driver) echo(seed, size int64) error {
	stream, err := d.open("echo")
	if err != nil {
		return err
	}
	defer stream.Close()
	go func() { _, _ = io.Copy(stream, pattern.Reader(seed, size)) }()
	return expect(io.LimitReader(stream, size), seed, size)
}

func expect(from io.Reader, seed, size int64) error {
	sum, length, err := pattern.ReadAll(from)
	switch {
	case err != nil:
		return fmt.Errorf("after %d of %d bytes: %w", length, size, err)
	case length != size:
		return fmt.Errorf("%d bytes came instead of %d", length, size)
	case sum != pattern.Digest(seed, size):
		return errors.New("the digest is wrong")
	}
	return nil
}

// halfCloseOurs: our FIN first, 300 kB afterwards (more than one window, so that credit still flows).
func (d *Driver) halfCloseOurs() (journal.Fields, error) {
	stream, err := d.open("late", 7, 300_000)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(stream, pattern.Reader(3, 100_000))
	_ = stream.Close()
	err = expect(stream, 7, 300_000)
	if err != nil && Generation == "old" {
		return journal.Fields{"skipped": "yamux of 2019 reads EOF after its own Close"}, nil
	}
	return nil, err
}

// halfCloseTheirs: their FIN arrives before ours; what we send afterwards still has credit to go on.
func (d *Driver) halfCloseTheirs() (journal.Fields, error) {
	stream, err := d.open("source", 9, 300_000)
	if err != nil {
		return nil, err
	}
	if err := expect(stream, 9, 300_000); err != nil {
		return nil, err
	}
	size := int64(700_000)
	if d.Brief {
		size = 200_000 // less than a window: an acceptor of 2019 does not read after its own Close
	}
	_, err = io.Copy(stream, pattern.Reader(4, size))
	_ = stream.Close()
	return nil, err
}

func (d *Driver) rounds(many int) int {
	if d.Brief {
		return 1
	}
	return many
}

// resetOurs: RST while the peer sends as fast as it can; the session works on.
func (d *Driver) resetOurs() (journal.Fields, error) {
	for range d.rounds(20) {
		stream, err := d.open("flood")
		if err != nil {
			return nil, err
		}
		_, _ = io.CopyN(io.Discard, stream, 400_000)
		reset := frames.Header{Type: frames.TypeWindow, Flags: frames.FlagRST, Stream: stream.StreamID()}
		if err := d.Wire.Inject(reset); err != nil {
			return nil, err
		}
	}
	return nil, d.echo(1, 5000)
}

// resetTheirs: the peer resets while we send as fast as we can; our write fails and the session works on.
func (d *Driver) resetTheirs() (journal.Fields, error) {
	for i := range d.rounds(20) {
		stream, err := d.open("reset", 100_000)
		if err != nil {
			return nil, err
		}
		_ = stream.SetWriteDeadline(time.Now().Add(20 * time.Second))
		_, err = io.Copy(stream, pattern.Reader(1, 1<<30))
		if !errors.Is(err, yamux.ErrConnectionReset) {
			return nil, fmt.Errorf("stream %d ended with %v", i, err)
		}
	}
	return nil, d.echo(1, 5000)
}

// backlog: 256 streams opened at one go, the most that hashicorp/yamux has in flight; each is answered or reset.
func (d *Driver) backlog() (journal.Fields, error) {
	var mu sync.Mutex
	answered, refused := 0, 0
	many := 16 * d.rounds(16)
	err := d.Parallel(many, many, func(i int) error {
		err := d.echo(int64(i), 100)
		mu.Lock()
		defer mu.Unlock()
		if errors.Is(err, yamux.ErrConnectionReset) {
			refused++
			return nil
		}
		answered++
		return err
	})
	return journal.Fields{"answered": answered, "refused": refused}, err
}

// window: a stream that nobody reads takes one window and no more, and holds up no other.
func (d *Driver) window() (journal.Fields, error) {
	stream, err := d.open("hold", "w")
	if err != nil {
		return nil, err
	}
	size := int64(2 << 20)
	_ = stream.SetWriteDeadline(time.Now().Add(700 * time.Millisecond))
	before, err := io.CopyBuffer(struct{ io.Writer }{stream}, pattern.Reader(5, size), make([]byte, 4096))
	if err == nil {
		return nil, errors.New("2 MiB went into a stream that nobody reads")
	}
	if err := d.echo(2, 100_000); err != nil {
		return nil, fmt.Errorf("the neighbour: %w", err)
	}
	if err := d.release("w"); err != nil {
		return nil, err
	}
	_ = stream.SetWriteDeadline(time.Time{})
	_, _ = io.Copy(stream, pattern.Reader(6, 100_000))
	_ = stream.Close()
	return journal.Fields{"window_bytes": before + int64(len("hold w\n"))}, nil
}

func (d *Driver) release(name string) error {
	stream, err := d.open("release", name)
	if err != nil {
		return err
	}
	defer stream.Close()
	line, err := bufio.NewReader(stream).ReadString('\n')
	if line != "ok\n" {
		return fmt.Errorf("release was answered %q: %w", line, err)
	}
	return nil
}
