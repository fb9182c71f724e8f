// Package pattern makes long deterministic bytes that the Python side can make too (tests/interop/pattern.py).
//
// Byte i of pattern(seed) is block[i % 8191], where block is the first 8191 bytes of
// sha256("seed:0") + sha256("seed:1") + … The period is a prime, so a piece that is lost, doubled or moved by
// any ordinary buffer size changes the digest.
package pattern

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Period is the length after which the bytes repeat; recordings make it shorter, so that they pack well.
var Period = 8191

// Block returns one period.
func Block(seed int64) []byte {
	block := make([]byte, 0, Period+sha256.Size)
	for counter := 0; len(block) < Period; counter++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d:%d", seed, counter))
		block = append(block, sum[:]...)
	}
	return block[:Period]
}

type reader struct {
	doubled []byte
	at      int64
	end     int64
}

// Reader yields exactly count bytes.
func Reader(seed, count int64) io.Reader {
	block := Block(seed)
	many := make([]byte, 0, Period*9)
	for range 9 {
		many = append(many, block...)
	}
	return &reader{doubled: many, end: count}
}

func (r *reader) Read(into []byte) (int, error) {
	if r.at >= r.end {
		return 0, io.EOF
	}
	start := int(r.at % int64(Period))
	n := copy(into, r.doubled[start:])
	if left := r.end - r.at; int64(n) > left {
		n = int(left)
	}
	r.at += int64(n)
	return n, nil
}

// Digest returns the hex SHA-256 of count bytes of the pattern.
func Digest(seed, count int64) string {
	sum := sha256.New()
	_, _ = io.Copy(sum, Reader(seed, count))
	return hex.EncodeToString(sum.Sum(nil))
}

// ReadAll consumes from until its end and returns what arrived.
func ReadAll(from io.Reader) (digest string, count int64, err error) {
	sum := sha256.New()
	count, err = io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{from}, make([]byte, 65536))
	return hex.EncodeToString(sum.Sum(nil)), count, err
}
