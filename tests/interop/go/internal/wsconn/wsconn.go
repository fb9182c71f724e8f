// Package wsconn makes a byte stream of a WebSocket: each write is one binary message, and where messages begin and
// end means nothing to the reader.
package wsconn

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Conn is a net.Conn over a gorilla WebSocket.
type Conn struct {
	*websocket.Conn
	reader  io.Reader
	writing sync.Mutex
}

// New takes over the WebSocket.
func New(socket *websocket.Conn) net.Conn { return &Conn{Conn: socket} }

// Read returns the next bytes, whatever message they came in.
func (c *Conn) Read(into []byte) (int, error) {
	for {
		if c.reader == nil {
			_, reader, err := c.Conn.NextReader()
			if err != nil {
				return 0, err
			}
			c.reader = reader
		}
		n, err := c.reader.Read(into)
		if err == io.EOF {
			c.reader = nil
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write sends one binary message.
func (c *Conn) Write(data []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.Conn.WriteMessage(websocket.BinaryMessage, data); err != nil {
		return 0, err
	}
	return len(data), nil
}

// SetDeadline sets both.
func (c *Conn) SetDeadline(at time.Time) error {
	if err := c.Conn.SetReadDeadline(at); err != nil {
		return err
	}
	return c.Conn.SetWriteDeadline(at)
}
