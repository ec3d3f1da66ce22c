package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strings"

	"bulla/internal/safetext"
)

// A hashing is the SHA-256 of an input, summed up beside what else reads it; nil if
// it is not asked for.
type hashing struct {
	ctx  context.Context
	sum  hash.Hash
	done chan error // of a file, which is read for itself; nil of a stream
}

func newHashing(ctx context.Context, wanted bool, in *input) *hashing {
	if !wanted {
		return nil
	}
	h := &hashing{ctx: ctx, sum: sha256.New()}
	if in.regular {
		h.done = make(chan error, 1)
		go func() {
			// What the check reads meanwhile, mostly: it comes from memory then.
			n, err := io.CopyBuffer(h.sum, io.NewSectionReader(in.At(), 0, in.size), make([]byte, 1<<20))
			if err == nil && n < in.size {
				err = io.ErrUnexpectedEOF
			}
			h.done <- err
		}()
	}
	return h
}

// tee returns src, of which all that is read is summed up.
func (h *hashing) tee(src io.Reader) io.Reader {
	if h == nil {
		return src
	}
	return io.TeeReader(src, h.sum)
}

// end returns the sum in hexadecimal digits, once everything has been read.
func (h *hashing) end() (*string, error) {
	if h == nil {
		return nil, nil
	}
	if h.done != nil {
		select {
		case err := <-h.done:
			if err != nil {
				return nil, err
			}
		case <-h.ctx.Done():
			return nil, context.Cause(h.ctx)
		}
	}
	text := hex.EncodeToString(h.sum.Sum(nil))
	return &text, nil
}

// commandLine is the command line, for a record that is kept: commands that print
// passphrases, and what looks like a secret key, are left out of it.
func (a *app) commandLine() []safetext.String {
	line := []safetext.String{"bulla"}
	hide := false
	for _, arg := range a.args {
		flag, _, given := strings.Cut(arg, "=")
		secret := strings.HasSuffix(flag, "passphrase-command")
		upper := strings.ToUpper(arg)
		switch {
		case hide, strings.Contains(upper, "AGE-SECRET-KEY-"), strings.Contains(upper, "AGE-PLUGIN-"):
			arg = "..."
		case secret && given:
			arg = flag + "=..."
		}
		hide = secret && !given && !hide
		line = append(line, safetext.String(arg))
	}
	return line
}
