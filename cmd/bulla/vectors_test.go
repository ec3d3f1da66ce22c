package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bulla/format"
	"bulla/internal/vectors"
)

// exitFor is the exit code of decrypt for a verdict. A detached head that is
// another container's is a file wrongly named, which the command tells at once.
func exitFor(v vectors.Verdict) int {
	if v.Clause == format.READ4 {
		return exitUsage
	}
	if v.Clause == format.ROLE2 { // nothing is wrong with it
		return exitUnsupported
	}
	return exitOf[v.Outcome]
}

// lostCopies are vectors of which a file, seen from both ends, may be a container
// that has lost both copies of its head: that is damage.
var lostCopies = []string{"head_magic_first", "head_magic_last", "not_bulla_stripped"}

// exitOf is the exit code of decrypt for each outcome of a vector.
var exitOf = map[vectors.Outcome]int{
	vectors.Success: exitOK, vectors.Warning: exitOK,
	vectors.Truncated: exitBad, vectors.Damaged: exitBad, vectors.Malformed: exitBad, vectors.Forged: exitBad,
	vectors.NoKey:    exitNoKey,
	vectors.NotBulla: exitUnsupported, vectors.Unsupported: exitUnsupported, vectors.Limit: exitUnsupported,
}

// TestVectors runs every conformance vector through decrypt, as a file and as a
// stream: the exit code is that of its outcome, an output file appears whole or
// not at all, and a stream gives what the vector says is released.
func TestVectors(t *testing.T) {
	all, err := vectors.Load(filepath.Join("..", "..", "testdata", "vectors"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, v := range all {
		// Huge ones are sparse, of up to 4 EiB; and the command takes at least one
		// key, and one passphrase.
		if v.Huge() || len(v.Keys) == 0 || passphrases(v) > 1 || v.Role != format.RoleFile {
			continue
		}
		if ran++; testing.Short() && ran%4 > 0 {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			runVector(t, v)
		})
	}
	t.Logf("%d of %d vectors", ran, len(all))
}

func passphrases(v *vectors.Vector) (n int) {
	for _, k := range v.Keys {
		if k.Kind == vectors.KeyPassphrase {
			n++
		}
	}
	return n
}

func runVector(t *testing.T, v *vectors.Vector) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c, err := v.Container()
	if err != nil {
		t.Fatal(err)
	}
	in := write("in.bulla", c.Bytes())
	args := []string{"decrypt", "--progress", "never"}
	for i, k := range v.Keys {
		b, err := k.File()
		if err != nil {
			t.Fatal(err)
		}
		key := write(fmt.Sprint("key", i), b)
		switch k.Kind {
		case vectors.KeyPassphrase:
			args = append(args, "--passphrase-file", key)
		case vectors.KeyKEK:
			args = append(args, "--kek", key)
		default:
			args = append(args, "-i", key)
		}
	}
	if v.Detached != nil {
		args = append(args, "--head", write("head", v.Detached))
	}

	out := filepath.Join(dir, "out")
	want := exitFor(v.AtRandom())
	if slices.Contains(lostCopies, v.Name) || v.Name == "role_2" { // which is read as the root of a set
		want = exitBad
	}
	if got := runCommand(t, dir, nil, append(args, "-o", out, in)...); got != want {
		t.Errorf("file: exit code %d, want %d", got, want)
	}
	plain, err := os.ReadFile(out)
	if whole := exitOf[v.AtRandom().Outcome] == exitOK; whole != (err == nil) {
		t.Errorf("file: the output: %v", err)
	} else if whole && (int64(len(plain)) != v.AtRandom().Length || sha256.Sum256(plain) != v.AtRandom().Payload) {
		t.Errorf("file: %d bytes, or others", len(plain))
	}

	var stream bytes.Buffer
	if got, want := runCommand(t, dir, &stream, append(args, "-o", "-")...), exitFor(v.Stream); got != want {
		t.Errorf("stream: exit code %d, want %d", got, want)
	}
	if int64(stream.Len()) != v.Stream.Length || sha256.Sum256(stream.Bytes()) != v.Stream.Payload {
		t.Errorf("stream: %d bytes, not %d, or others", stream.Len(), v.Stream.Length)
	}
}

// runCommand runs the program in this process. With an output it reads in.bulla
// of dir through a pipe, and what it writes goes to out.
func runCommand(t *testing.T, dir string, out *bytes.Buffer, args ...string) int {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	std := stdio{null, null, null}
	if out == nil {
		return newApp(std).run(args)
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "in.bulla"))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		inW.Write(b) // fails when the command has seen enough
		inW.Close()
	}()
	read := make(chan struct{})
	go func() {
		out.ReadFrom(outR)
		close(read)
	}()
	std.in, std.out = inR, outW
	code := newApp(std).run(args)
	inR.Close()
	outW.Close()
	<-read
	outR.Close()
	return code
}
