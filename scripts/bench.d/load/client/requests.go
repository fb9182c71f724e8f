package main

import (
	"fmt"
	"slices"
	"time"
)

// requests asks the same again and again on each connection; what was answered within the measured time counts.
func requests(o options) (map[string]any, error) {
	message := head(o, "GET", "")
	if o.body > 0 {
		message = append(head(o, "POST", fmt.Sprintf("Content-Length: %d\r\n", o.body)), make([]byte, o.body)...)
	}
	from := time.Now().Add(o.warm)
	until := from.Add(o.measured)
	took := make([][]time.Duration, o.connections)
	err := together(o, func(number int, c *connection) error {
		for {
			began := time.Now()
			if began.After(until) {
				return nil
			}
			if _, err := c.socket.Write(message); err != nil {
				return err
			}
			if _, err := c.answer(); err != nil {
				return err
			}
			if ended := time.Now(); ended.After(from) && !ended.After(until) {
				took[number] = append(took[number], ended.Sub(began))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(took...)
	if len(all) == 0 {
		// A relay that stood still the whole time: one answer, at the end.
		all = append(all, o.warm+o.measured)
	}
	slices.Sort(all)
	at := func(share float64) float64 { return all[int(share*float64(len(all)-1))].Seconds() * 1000 }
	return map[string]any{
		"requests": len(all), "seconds": o.measured.Seconds(), "p50_ms": at(0.5), "p99_ms": at(0.99), "worst_ms": at(1),
	}, nil
}
