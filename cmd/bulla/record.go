package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bulla/internal/fullio"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/set"
	"bulla/stream"
)

// hashed returns what to read an input from so that its SHA-256 is summed up, and
// end, which gives that in hexadecimal digits once all has been read. A file is read
// for itself, beside what reads it at any place: mostly from memory.
func (in *input) hashed(ctx context.Context) (src io.Reader, end func() (*string, error)) {
	sum, done := sha256.New(), make(chan error, 1)
	end = func() (*string, error) {
		select {
		case err := <-done:
			text := hex.EncodeToString(sum.Sum(nil))
			return &text, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if !in.regular {
		done <- nil
		return fullio.Tee(in.Stream(), sum), end
	}
	go func() {
		n, err := io.CopyBuffer(sum, io.NewSectionReader(in.At(), 0, in.size), make([]byte, 1<<20))
		if err == nil && n < in.size {
			err = io.ErrUnexpectedEOF
		}
		done <- err
	}()
	return nil, end
}

// commandLine is the command line, for a record that is kept: commands that print
// passphrases, and what looks like a secret key, are left out of it.
func (a *app) commandLine() []safetext.String {
	line := []safetext.String{"bulla"}
	hide := false
	for _, arg := range a.args {
		flag, _, given := strings.Cut(arg, "=")
		secret := strings.HasSuffix(flag, "passphrase-command")
		switch {
		case hide, isSecretKey(arg):
			arg = "..."
		case secret && given:
			arg = flag + "=..."
		}
		hide = secret && !given && !hide
		at := max(0, strings.Index(arg, "https://")) // behind a flag, too
		line = append(line, safetext.String(arg[:at]+storage.Shown(arg[at:])))
	}
	return line
}

// A sampleFlag names a slice of a file: the part of it that is verified.
type sampleFlag struct {
	text  string
	slice stream.Slice // zero: everything
}

func (s *sampleFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.text, "sample", "", "authenticate part `N/OF` alone: thirty nights of 1/30 to 30/30 cover everything")
	before(cmd, s.parse)
}

func (s *sampleFlag) parse(cmd *cobra.Command) (err error) {
	if cmd.Flags().Changed("sample") {
		s.slice, err = parseSample(s.text)
	}
	return err
}

func parseSample(text string) (s stream.Slice, err error) {
	n, of, _ := strings.Cut(text, "/")
	s.N, err = strconv.Atoi(n)
	if err == nil {
		s.Of, err = strconv.Atoi(of)
	}
	if err != nil || s.N < 1 || s.N > s.Of {
		return stream.Slice{}, usage("for example 3/30, the third of thirty parts", "invalid --sample %s: N/OF counts from 1/OF to OF/OF", safetext.Printable(text))
	}
	return s, nil
}

func (s *sampleFlag) wanted() bool { return s.slice != stream.Slice{} }

// check refuses samples of what has none.
func (s *sampleFlag) check(in *input) error {
	if s.wanted() && !in.regular {
		return usage("leave out --sample, or name the file", "--sample reads a part of a file, and %s is a stream", in.name)
	}
	return nil
}

// A sample is what was looked at, in JSON as it stands.
type sample struct {
	N       int   `json:"n"`
	Of      int   `json:"of"`
	Checked int64 `json:"chunks_checked"`
	Chunks  int64 `json:"chunks"`
}

func (s *sampleFlag) of(d *set.Report) *sample {
	if !s.wanted() || !d.Root.Keyed {
		return nil
	}
	return &sample{s.slice.N, s.slice.Of, d.Authentic + d.Failed, d.Chunks}
}

// share is about how much of that many bytes a slice is.
func (s *sampleFlag) share(size int64) int64 { return size / int64(max(1, s.slice.Of)) }

func (s *sample) String() string {
	return fmt.Sprintf("part %d of %d is authentic: %d of %s, %.1f%%", s.N, s.Of, s.Checked, plural(int(s.Chunks), "chunk"), 100*float64(s.Checked)/float64(max(1, s.Chunks)))
}
