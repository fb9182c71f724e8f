package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"strings"
)

// takeOrders: drop (TCP reset under the agent) · or one of exercise.Orders. The end of the input ends the program.
func (r *relay) takeOrders(from io.Reader) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		r.mu.Lock()
		switch {
		case r.socket == nil:
		case strings.TrimSpace(lines.Text()) == "drop":
			if tcp, ok := r.socket.UnderlyingConn().(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = r.socket.UnderlyingConn().Close()
		default:
			r.orders.Obey(lines.Text())
		}
		r.mu.Unlock()
	}
	os.Exit(0)
}
