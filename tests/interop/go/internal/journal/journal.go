// Package journal prints what happened, one JSON object a line, for the test that started the program.
package journal

import (
	"encoding/json"
	"io"
	"os"
	"sync"
)

// Fields are the values of one line beside its "event".
type Fields map[string]any

// Journal writes lines from any goroutine; a line is never torn.
type Journal struct {
	mu     sync.Mutex
	out    io.Writer
	counts map[string]int
}

// perEvent bounds how often one kind of line is printed: 10,000 resets need no 10,000 lines, the counters have them.
const perEvent = 2000

// New returns a journal on out (standard output when nil).
func New(out io.Writer) *Journal {
	if out == nil {
		out = os.Stdout
	}
	return &Journal{out: out, counts: map[string]int{}}
}

// Say prints one line.
func (j *Journal) Say(event string, fields Fields) {
	line := map[string]any{"event": event}
	for key, value := range fields {
		line[key] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		text, _ = json.Marshal(map[string]any{"event": event, "error": err.Error()})
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[event]++
	if j.counts[event] > perEvent {
		return
	}
	_, _ = j.out.Write(append(text, '\n'))
}
