// Package fullio fills buffers from readers and empties them into writers, and
// keeps apart what package io does not: a source that ends and one that breaks. What
// goes by can be counted, and compared with what is there, and go to the disk early.
package fullio

import (
	"errors"
	"io"
)

// ErrBadCount is a source that breaks the contract of io.Reader.
var ErrBadCount = errors.New("the source returned an impossible count")

// MaxEmptyReads is how often in a row a source may return no bytes and no error.
const MaxEmptyReads = 100

// ReadFull fills p from src. It returns io.EOF, and how much there was, only if
// src itself says that it ends: an error of src stays what it is, whatever it
// wraps, so that a connection that breaks is no stream that ends.
func ReadFull(src io.Reader, p []byte) (n int, err error) {
	for empty := 0; n < len(p) && err == nil; {
		var k int
		k, err = src.Read(p[n:])
		if k < 0 || k > len(p)-n {
			return n, ErrBadCount
		}
		n += k
		if k > 0 {
			empty = 0
		} else if empty++; empty == MaxEmptyReads && err == nil {
			return n, io.ErrNoProgress
		}
	}
	if n == len(p) {
		return n, nil
	}
	return n, err
}

// ReadUpTo appends to b what src gives until it has n bytes, fewer only where src
// ends. Its errors are those of src, with what there was before.
func ReadUpTo(src io.Reader, b []byte, n int) ([]byte, error) {
	had := len(b)
	b = append(b, make([]byte, max(0, n-had))...)
	k, err := ReadFull(src, b[had:])
	if err == io.EOF {
		err = nil
	}
	return b[:had+k], err
}

// WriteAll writes all of p to dst or fails.
func WriteAll(dst io.Writer, p []byte) (n int, err error) {
	n, err = dst.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}
