package frames

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a net.Conn that shows what passes to watchers, can put frames of its own between those that pass, and can
// stop reading for a while.
type Conn struct {
	net.Conn
	Incoming *Watcher // bytes from the peer
	Outgoing *Watcher // bytes to the peer

	// Tee, when set, sees every read after it happened and every write before it happens.
	Tee func(outgoing bool, data []byte)

	writing  sync.Mutex
	injected [][]byte
	silent   atomic.Int64 // unix nanoseconds until which Read waits
}

// Wrap returns conn with two idle watchers.
func Wrap(conn net.Conn) *Conn {
	return &Conn{Conn: conn, Incoming: &Watcher{}, Outgoing: &Watcher{}}
}

// Read reads and shows.
func (c *Conn) Read(into []byte) (int, error) {
	for {
		wait := time.Until(time.Unix(0, c.silent.Load()))
		if wait <= 0 {
			break
		}
		time.Sleep(min(wait, 50*time.Millisecond))
	}
	n, err := c.Conn.Read(into)
	if n > 0 {
		if c.Tee != nil {
			c.Tee(false, into[:n])
		}
		c.Incoming.Feed(into[:n])
	}
	return n, err
}

// Write shows and writes; frames given to Inject go out at the next boundary.
func (c *Conn) Write(data []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.flushInjected(); err != nil {
		return 0, err
	}
	n, err := c.write(data)
	if err != nil {
		return n, err
	}
	return n, c.flushInjected()
}

// Inject sends a frame that the yamux session knows nothing of.
func (c *Conn) Inject(header Header) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.injected = append(c.injected, header.Encode())
	return c.flushInjected()
}

// StopReading makes Read wait, as a process does that is stopped or starved. It shows from the next Read on.
func (c *Conn) StopReading(duration time.Duration) {
	c.silent.Store(time.Now().Add(duration).UnixNano())
}

func (c *Conn) flushInjected() error {
	if !c.Outgoing.AtBoundary() {
		return nil
	}
	for _, raw := range c.injected {
		if _, err := c.write(raw); err != nil {
			return errors.Join(errors.New("inject"), err)
		}
	}
	c.injected = nil
	return nil
}

func (c *Conn) write(data []byte) (int, error) {
	if c.Tee != nil {
		c.Tee(true, data)
	}
	c.Outgoing.Feed(data)
	return c.Conn.Write(data)
}
