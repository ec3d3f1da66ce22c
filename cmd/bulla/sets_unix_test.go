//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bulla/set"
)

// A run that makes a set is killed, again and again, at any moment. Each time there is
// either a whole set, or one that says it is not, and goes on by the same command.
func TestSetKilled(t *testing.T) {
	kills := 10
	if os.Getenv("BULLA_LONG") != "" {
		kills = 500
	}
	dir := workDir(t)
	plain := make([]byte, 25<<20)
	rand.NewChaCha8([32]byte{}).Read(plain)
	if err := os.WriteFile(filepath.Join(dir, "plain"), plain, 0o600); err != nil {
		t.Fatal(err)
	}
	command := []string{"encrypt", "--volume-size", "3M", "--resume", "-j", "1", "-o", "s.bulla", "plain"}
	clean := func() {
		parts, _ := filepath.Glob(filepath.Join(dir, "*s.bulla*"))
		hidden, _ := filepath.Glob(filepath.Join(dir, ".s.bulla*"))
		for _, p := range append(parts, hidden...) {
			os.Remove(p)
		}
	}
	whole := func() {
		t.Helper()
		code, _, errs := runIn(t, dir, "decrypt", "--no-sync", "-o", filepath.Join(dir, "out"), filepath.Join(dir, "s.bulla"))
		b, err := os.ReadFile(filepath.Join(dir, "out"))
		if code != 0 || err != nil || !bytes.Equal(b, plain) {
			t.Fatalf("the set is not whole: exit code %d: %s", code, errs)
		}
		os.Remove(filepath.Join(dir, "out"))
		if got := names(t, dir); strings.Contains(got, "unfinished") || strings.Contains(got, "partial") {
			t.Fatalf("the directory holds %s", got)
		}
		clean()
	}
	began := time.Now()
	if c := start(t, dir, nil, command...); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	took := time.Since(began)
	whole()
	rng := rand.New(rand.NewPCG(3, 4))
	done, killed, unfinished := 0, 0, 0
	for killed < kills {
		c := start(t, dir, nil, command...)
		time.Sleep(time.Duration(rng.Int64N(int64(took))))
		c.Process.Kill()
		switch code := c.code(); {
		case code == 0, code == exitRefused && strings.Contains(c.errs.String(), "nothing to continue"): // killed after all was done
			done++
			took = max(took*9/10, time.Millisecond) // the machine has less to do than it had: kill earlier
			whole()
			continue
		case code != 128+9: // it was not killed
			t.Fatalf("exit code %d: %s", code, c.errs.String())
		}
		killed++
		took += took / 10
		root, index := filepath.Join(dir, "s.bulla"), filepath.Join(dir, "s.bulla"+set.IndexSuffix)
		if exists(index) {
			if code, out, errs := runIn(t, dir, "verify", root); code != 0 {
				t.Fatalf("there is an index, and the set is not whole: %s%s", out, errs)
			}
		} else if exists(root) {
			unfinished++
			if code, _, errs := runIn(t, dir, "cat", root); code != exitBad || !strings.Contains(errs, "index is missing") {
				t.Fatalf("it does not say that it is unfinished: exit code %d: %s", code, errs)
			}
		}
	}
	if c := start(t, dir, nil, command...); c.code() != 0 && !strings.Contains(c.errs.String(), "nothing to continue") {
		t.Fatal(c.errs.String())
	}
	whole()
	t.Logf("%d runs were killed, after which %d times the set was unfinished; %d runs made it whole", killed, unfinished, done)
}

// A journal that is of another source, of other flags, damaged, or somebody else's.
func TestSetJournal(t *testing.T) {
	dir := workDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	plain := make([]byte, 9<<20)
	if err := os.WriteFile(at("plain"), plain, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, says string, args ...string) {
		t.Helper()
		code, _, errs := runIn(t, dir, append([]string{"encrypt", "--resume", "--no-sync", "-o", at("s.bulla"), at("plain")}, args...)...)
		if code != want || !strings.Contains(errs, says) {
			t.Errorf("exit code %d, not %d: %s", code, want, errs)
		}
	}
	// A run that cannot make its third volume leaves a journal.
	if err := os.Mkdir(at("s.bulla.000002"), 0o700); err != nil {
		t.Fatal(err)
	}
	run(exitUsage, "is a directory\nbulla: hint: move it away; the whole volumes are kept", "--volume-size", "3M")
	os.Remove(at("s.bulla.000002"))
	journal, err := os.ReadFile(at("s.bulla.unfinished"))
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(at("s.bulla.unfinished")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	write := func(b []byte) {
		if err := os.WriteFile(at("s.bulla.unfinished"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at("s.bulla.index"), plain[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	run(exitRefused, "s.bulla.index is in the way", "--volume-size", "3M")
	if after, err := os.ReadFile(at("s.bulla.unfinished")); err != nil || !bytes.Equal(after, journal) {
		t.Errorf("the journal is gone or changed: %v", err)
	}
	os.Remove(at("s.bulla.index"))
	run(exitUsage, "other flags", "--volume-size", "5M")
	run(exitUsage, "other flags", "--volume-size", "3M", "-z")
	run(exitUsage, "other flags", "--volume-size", "3M", "--parity", "5")
	run(exitUsage, "other flags", "--volume-size", "3M", "--suite", "chacha")
	if code, _, errs := runIn(t, dir, "keygen", "-q", "-o", at("other")); code != 0 {
		t.Fatal(errs)
	}
	_, other, _ := runIn(t, dir, "keygen", "-y", at("other"))
	if err := os.WriteFile(at("other.pub"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if st, _ := os.Stat(at("plain")); os.Chtimes(at("plain"), later, later) == nil {
		run(exitRefused, "has changed", "--volume-size", "3M")
		os.Chtimes(at("plain"), st.ModTime(), st.ModTime())
	}
	write(append([]byte("{"), journal...))
	run(exitRefused, "damaged", "--volume-size", "3M")
	write(append(bytes.Clone(journal), "[]\n"...))
	run(exitRefused, "damaged", "--volume-size", "3M")
	for i := range len(journal) { // a flipped bit, wherever it is
		if i%50 != 0 && i < len(journal)-2 {
			continue
		}
		b := bytes.Clone(journal)
		b[i] ^= 1
		write(b)
		run(exitRefused, "s.bulla.unfinished is damaged", "--volume-size", "3M")
	}
	write(journal)
	os.Chmod(at("s.bulla.unfinished"), 0o644)
	run(exitRefused, "s.bulla.unfinished is in the way: it is not a regular file of yours that others cannot read", "--volume-size", "3M")
	os.Chmod(at("s.bulla.unfinished"), 0o600)

	// Another set's volume, and one that is gone.
	kept, err := os.ReadFile(at("s.bulla.000000"))
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(at("s.bulla.000000"))
	run(exitBad, "s.bulla.000000 is missing", "--volume-size", "3M")
	if err := os.WriteFile(at("s.bulla.000000"), kept[:9000], 0o600); err != nil {
		t.Fatal(err)
	}
	run(exitBad, "s.bulla.000000", "--volume-size", "3M")
	root, err := os.ReadFile(at("s.bulla"))
	if err := errors.Join(err, os.WriteFile(at("s.bulla.000000"), kept, 0o600), os.WriteFile(at("s.bulla"), kept, 0o600)); err != nil {
		t.Fatal(err)
	}
	run(exitBad, "SET-2", "--volume-size", "3M") // what it goes on with would not open
	if err := os.WriteFile(at("s.bulla"), root, 0o600); err != nil {
		t.Fatal(err)
	}
	write(append(bytes.Clone(journal), `{"identity":"half a line`...)) // which a killed run leaves
	run(exitOK, "keeps the recipients that it was begun for, and these are others", "--volume-size", "3M", "-R", at("other.pub"))
	if code, out, errs := runIn(t, dir, "verify", at("s.bulla")); code != 0 {
		t.Errorf("%s%s", out, errs)
	}
	if exists(at("s.bulla.unfinished")) {
		t.Error("the journal is left")
	}
}

// A set that is continued is signed as it was sealed, and not as what is damaged lies there: with a
// journal, which has the hashes, and without one, with a key.
func TestSetSealedAndSigned(t *testing.T) {
	dir := workDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("plain"), make([]byte, 9<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("allowed"), []byte("alice "+sshKey(t, at("ssh"))), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, says string, args ...string) {
		t.Helper()
		code, _, errs := runIn(t, dir, append([]string{"encrypt", "--resume", "--no-sync", "--volume-size", "3M", "-o", at("s.bulla"), at("plain")}, args...)...)
		if code != want || !strings.Contains(errs, says) {
			t.Errorf("exit code %d, not %d: %s", code, want, errs)
		}
	}
	flip := func(name string) {
		t.Helper()
		b, err := os.ReadFile(at(name))
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(at(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sign := []string{"--sign", at("ssh")}
	for _, journal := range []bool{true, false} {
		if err := os.Mkdir(at("s.bulla.000002"), 0o700); err != nil {
			t.Fatal(err)
		}
		run(exitUsage, "the whole volumes are kept", sign...)
		os.Remove(at("s.bulla.000002"))
		if journal {
			run(exitUsage, "other flags")
		} else {
			os.Remove(at("s.bulla.unfinished"))
		}
		for _, part := range []string{"s.bulla", "s.bulla.000000", "s.bulla.000001"} {
			flip(part)
			says := part
			if journal {
				says += " is not as it was sealed"
			}
			run(exitBad, says, sign...)
			flip(part)
			if exists(at("s.bulla.index")) || exists(at("s.bulla.sig")) {
				t.Fatalf("%s was damaged: %s", part, names(t, dir))
			}
		}
		run(exitOK, "", sign...)
		if code, out, errs := runIn(t, dir, "verify", "--signed-by", at("allowed"), at("s.bulla")); code != 0 {
			t.Errorf("%s%s", out, errs)
		}
		parts, _ := filepath.Glob(at("s.bulla*"))
		for _, p := range parts {
			os.Remove(p)
		}
	}
}

// A journal that is made anew has all volumes that are whole, or none, wherever a power failure cuts
// it off.
func TestJournalAnew(t *testing.T) {
	dir := workDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("plain"), make([]byte, 9<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	sshKey(t, at("ssh"))
	run := func(args ...string) (int, string) {
		code, _, errs := runIn(t, dir, append([]string{"encrypt", "--resume", "--no-sync", "--volume-size", "3M", "--sign", at("ssh"), "-o", at("s.bulla"), at("plain")}, args...)...)
		return code, errs
	}
	blocked := func(volume string) {
		t.Helper()
		if err := os.Mkdir(at(volume), 0o700); err != nil {
			t.Fatal(err)
		}
		if code, errs := run(); code != exitUsage || !strings.Contains(errs, "the whole volumes are kept") {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		os.Remove(at(volume))
	}
	blocked("s.bulla.000001")
	os.Remove(at("s.bulla.unfinished"))
	blocked("s.bulla.000002")
	journal, err := os.ReadFile(at("s.bulla.unfinished"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.MkdirTemp(dir, "kept")
	if err != nil {
		t.Fatal(err)
	}
	old := []string{"s.bulla", "s.bulla.000000"} // which were whole when it was made
	for _, p := range old {
		os.Link(at(p), filepath.Join(kept, p))
	}
	anew := journal[:bytes.LastIndexByte(journal[:len(journal)-1], '\n')+1] // without the line of the volume after
	cuts := []int{0, len(anew) / 2}
	for i, c := range anew {
		if c == '\n' {
			cuts = append(cuts, i, i+1)
		}
	}
	for _, cut := range cuts {
		parts, _ := filepath.Glob(at("s.bulla*"))
		for _, p := range parts {
			os.Remove(p)
		}
		for _, p := range old {
			os.Link(filepath.Join(kept, p), at(p))
		}
		if err := os.WriteFile(at("s.bulla.unfinished"), anew[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if code, errs := run(); code != exitOK {
			t.Errorf("cut off at %d of %d: exit code %d: %s", cut, len(anew), code, errs)
		}
	}
}

// A journal without a set is begun anew, whatever is in it.
func TestStaleJournal(t *testing.T) {
	dir := workDir(t)
	for name, text := range map[string]string{"plain": "plaintext", "s.bulla.unfinished": "garbage\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, errs := runIn(t, dir, "encrypt", "--volume-size", "3M", "-o", filepath.Join(dir, "s.bulla"), filepath.Join(dir, "plain")); code != 0 {
		t.Error(errs)
	}
}

// A named pipe in the place of a part, of a signature or of a parity file, is refused at once: nobody
// named it, and nobody may ever write to it.
func TestPipeForPart(t *testing.T) {
	dir := workDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(at("plain"), []byte("abc"), 0o600), os.WriteFile(at("allowed"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := runIn(t, dir, "encrypt", "--volume-size", "3M", "-o", at("s.bulla"), at("plain")); code != 0 {
		t.Fatal(errs)
	}
	for _, c := range []struct {
		pipe string
		args []string
	}{
		{".000000", []string{"decrypt", "-o", at("out"), at("s.bulla")}},
		{set.IndexSuffix, []string{"verify", at("s.bulla")}},
		{signatureSuffix, []string{"verify", "--signed-by", at("allowed"), at("s.bulla")}},
		{set.IndexSuffix + paritySuffix, []string{"scrub", at("s.bulla.index")}},
	} {
		os.Rename(at("s.bulla"+c.pipe), at("kept"))
		if err := syscall.Mkfifo(at("s.bulla"+c.pipe), 0o600); err != nil {
			t.Fatal(err)
		}
		run := start(t, dir, nil, c.args...)
		late := time.AfterFunc(time.Minute, func() { run.Process.Kill() })
		if code := run.code(); code != exitUsage || !strings.Contains(run.errs.String(), "s.bulla"+c.pipe+" is a pipe") {
			t.Errorf("%s: exit code %d: %s", c.pipe, code, run.errs.String())
		}
		late.Stop()
		os.Remove(at("s.bulla" + c.pipe))
		os.Rename(at("kept"), at("s.bulla"+c.pipe))
	}
}

// What a store does not give is out of reach, and not lost.
func TestSalvageOutOfReach(t *testing.T) {
	dir := workDir(t)
	if err := os.WriteFile(filepath.Join(dir, "plain"), make([]byte, 9<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-o", "f.bulla"}, {"-o", "s.bulla", "--volume-size", "3M"}} {
		if c := start(t, dir, nil, append([]string{"encrypt", "plain"}, args...)...); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
	}
	url, cert, stop, err := serveHTTPS(dir, dir, func(r *http.Request) bool {
		var from int64
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		return strings.HasSuffix(r.URL.Path, "f.bulla") && 2<<20 < from && from < 8<<20 || strings.HasSuffix(r.URL.Path, ".000001")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Setenv("SSL_CERT_FILE", cert)
	for _, name := range []string{"f.bulla", "s.bulla"} {
		c := start(t, dir, nil, "salvage", "-o", "out", url+"/"+name)
		if code := c.code(); code != exitIO || !strings.Contains(c.errs.String(), "may not be accessed") {
			t.Errorf("%s: exit code %d: %s", name, code, c.errs.String())
		}
		if exists(filepath.Join(dir, "out")) {
			t.Errorf("%s: there is an output", name)
		}
	}
}
