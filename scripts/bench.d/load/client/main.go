// Command client is the load: many keep-alive connections that ask and read, and say how long that took.
//
// It is written without net/http: what it costs on the same two cores is taken from the relay under test.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"
)

type options struct {
	address, host, path, token string
	connections                int
	warm, measured             time.Duration
	body                       int
	bulk                       string
	chunked                    bool
	bytes                      int64
}

func parse() options {
	var o options
	flag.StringVar(&o.address, "address", "", "host and port of the web port")
	flag.StringVar(&o.path, "path", "/", "request target")
	flag.StringVar(&o.token, "token", "", "bearer token")
	flag.IntVar(&o.connections, "connections", 1, "connections, each with one request at a time")
	flag.DurationVar(&o.warm, "warm", 300*time.Millisecond, "not measured, at the beginning")
	flag.DurationVar(&o.measured, "measured", 2*time.Second, "measured after that")
	flag.IntVar(&o.body, "body", 0, "POST so many bytes; 0: GET")
	flag.StringVar(&o.bulk, "bulk", "", "up or down: one transfer on each connection instead of many requests")
	flag.BoolVar(&o.chunked, "chunked", false, "the upload has no length")
	flag.Int64Var(&o.bytes, "bytes", 64<<20, "of all uploads together")
	flag.Parse()
	return o
}

func main() {
	o := parse()
	var result map[string]any
	var err error
	if o.bulk == "" {
		result, err = requests(o)
	} else {
		result, err = transfers(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(result)
}

// together runs the same on every connection and returns the first error.
func together(o options, run func(number int, c *connection) error) error {
	failed := make(chan error, o.connections)
	var all sync.WaitGroup
	for number := range o.connections {
		c, err := dial(o.address)
		if err != nil {
			return err
		}
		all.Add(1)
		go func() {
			defer all.Done()
			defer c.socket.Close()
			if err := run(number, c); err != nil {
				failed <- err
			}
		}()
	}
	all.Wait()
	close(failed)
	return <-failed
}
