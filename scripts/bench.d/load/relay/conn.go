package main

import (
	"io"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// conn is a byte stream over a WebSocket.
type conn struct {
	*websocket.Conn
	reader  io.Reader
	writing sync.Mutex
}

func newConn(socket *websocket.Conn) *conn { return &conn{Conn: socket} }

func (c *conn) Read(into []byte) (int, error) {
	for {
		if c.reader == nil {
			_, reader, err := c.NextReader()
			if err != nil {
				return 0, err
			}
			c.reader = reader
		}
		n, err := c.reader.Read(into)
		if err == io.EOF {
			c.reader, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *conn) Write(data []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	return len(data), c.WriteMessage(websocket.BinaryMessage, data)
}

func (c *conn) SetDeadline(at time.Time) error {
	_ = c.SetReadDeadline(at)
	return c.SetWriteDeadline(at)
}
