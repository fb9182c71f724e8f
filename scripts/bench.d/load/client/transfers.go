package main

import (
	"fmt"
	"sync/atomic"
	"time"
)

const pieceBytes = 64 << 10

// transfers moves much, once on each connection. Connecting and the first byte are part of the time: they are small.
func transfers(o options) (map[string]any, error) {
	var moved atomic.Int64
	began := time.Now()
	err := together(o, func(_ int, c *connection) error {
		if o.bulk == "up" {
			count, err := upload(o, c)
			moved.Add(count)
			return err
		}
		if _, err := c.socket.Write(head(o, "GET", "")); err != nil {
			return err
		}
		count, err := c.answer()
		moved.Add(count)
		return err
	})
	return map[string]any{"bytes": moved.Load(), "seconds": time.Since(began).Seconds()}, err
}

func upload(o options, c *connection) (int64, error) {
	total := o.bytes / int64(o.connections)
	framing := fmt.Sprintf("Content-Length: %d\r\n", total)
	piece := make([]byte, pieceBytes)
	if o.chunked {
		framing = "Transfer-Encoding: chunked\r\n"
		piece = fmt.Appendf(nil, "%x\r\n%s\r\n", pieceBytes, piece)
	}
	if _, err := c.socket.Write(head(o, "POST", framing)); err != nil {
		return 0, err
	}
	left := total
	for ; left >= pieceBytes; left -= pieceBytes {
		if _, err := c.socket.Write(piece); err != nil {
			return total - left, err
		}
	}
	if left > 0 && !o.chunked {
		if _, err := c.socket.Write(piece[:left]); err != nil {
			return total - left, err
		}
		left = 0
	}
	if o.chunked {
		if _, err := c.socket.Write([]byte("0\r\n\r\n")); err != nil {
			return total - left, err
		}
	}
	_, err := c.answer()
	return total - left, err
}
