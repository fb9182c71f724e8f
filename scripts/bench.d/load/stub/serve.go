package main

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/gorilla/websocket"
)

const (
	typeData, typeWindow, typePing = 0, 1, 2
	flagSYN, flagACK, flagFIN      = 1, 2, 4
	flagRST                        = 8
	headerBytes                    = 12
)

var answer = []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"devices\": []}")

// exchange is one stream whose request is not whole yet; missing is -1 until its head was read.
type exchange struct {
	head    []byte
	missing int
}

type session struct {
	streams map[uint32]*exchange
	out     []byte
}

// serve answers until the connection ends.
func serve(socket *websocket.Conn) {
	defer socket.Close()
	s := &session{streams: map[uint32]*exchange{}}
	var unread []byte
	for {
		_, message, err := socket.ReadMessage()
		if err != nil {
			return
		}
		if len(unread) > 0 {
			message = append(unread, message...)
		}
		unread = s.take(message)
		if len(s.out) > 0 {
			if socket.WriteMessage(websocket.BinaryMessage, s.out) != nil {
				return
			}
			s.out = s.out[:0]
		}
	}
}

// take reads whole frames and returns the rest.
func (s *session) take(data []byte) []byte {
	for len(data) >= headerBytes {
		flags, id := binary.BigEndian.Uint16(data[2:]), binary.BigEndian.Uint32(data[4:])
		length := int(binary.BigEndian.Uint32(data[8:]))
		body := 0
		if data[1] == typeData {
			body = length
		}
		if len(data) < headerBytes+body {
			break
		}
		switch {
		case data[1] == typePing && flags&flagSYN != 0:
			s.frame(typePing, flagACK, 0, uint32(length))
		case data[1] == typePing:
		case flags&flagSYN != 0:
			s.streams[id] = &exchange{missing: -1}
		case flags&flagRST != 0:
			delete(s.streams, id)
		}
		if body > 0 {
			s.receive(id, data[headerBytes:headerBytes+body])
		}
		data = data[headerBytes+body:]
	}
	return bytes.Clone(data)
}

func (s *session) receive(id uint32, data []byte) {
	e := s.streams[id]
	if e == nil {
		return
	}
	if e.missing < 0 {
		e.head = append(e.head, data...)
		end := bytes.Index(e.head, []byte("\r\n\r\n"))
		if end < 0 {
			return
		}
		e.missing = bodyLength(e.head[:end]) + end + 4
		data = e.head
	}
	e.missing -= len(data)
	if e.missing <= 0 {
		delete(s.streams, id)
		s.frame(typeWindow, flagACK, id, 0)
		s.frame(typeData, 0, id, uint32(len(answer)))
		s.out = append(s.out, answer...)
		s.frame(typeWindow, flagFIN, id, 0)
	}
}

func bodyLength(head []byte) int {
	_, after, found := bytes.Cut(head, []byte("\r\nContent-Length: "))
	if !found {
		return 0
	}
	digits, _, _ := bytes.Cut(after, []byte("\r"))
	length, _ := strconv.Atoi(string(digits))
	return length
}

func (s *session) frame(kind byte, flags uint16, id, length uint32) {
	s.out = append(s.out, 0, kind)
	s.out = binary.BigEndian.AppendUint16(s.out, flags)
	s.out = binary.BigEndian.AppendUint32(s.out, id)
	s.out = binary.BigEndian.AppendUint32(s.out, length)
}
