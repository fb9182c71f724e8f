package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
)

type connection struct {
	socket net.Conn
	reader *bufio.Reader
}

func dial(address string) (*connection, error) {
	socket, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{socket, bufio.NewReaderSize(socket, 256<<10)}, nil
}

// answer reads one answer and returns the length of its body. Anything but 200 is an error: a fast refusal is no result.
func (c *connection) answer() (int64, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return 0, fmt.Errorf("answered %q", line)
	}
	length, chunked := int64(-1), false
	for {
		line, err = c.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return 0, err
			}
		} else if bytes.EqualFold(name, []byte("transfer-encoding")) {
			chunked = true
		}
	}
	if chunked {
		return c.chunks()
	}
	if length < 0 {
		return io.Copy(io.Discard, c.reader)
	}
	_, err = c.reader.Discard(int(length))
	return length, err
}

func (c *connection) chunks() (int64, error) {
	total := int64(0)
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return total, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return total, err
		}
		if _, err = c.reader.Discard(int(size) + 2); err != nil {
			return total, err
		}
		if size == 0 {
			return total, nil
		}
		total += size
	}
}

func head(o options, method string, framing string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nUser-Agent: visiona-bench\r\nAccept: */*\r\n%s\r\n",
		method, o.path, o.address, o.token, framing)
}
