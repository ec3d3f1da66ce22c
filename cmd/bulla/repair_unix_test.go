//go:build unix

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A repair in place that is killed at any time loses nothing: run again, it finishes,
// and --undo brings back what was there.
func TestRepairKilled(t *testing.T) {
	t.Parallel()
	kills := 50
	switch {
	case os.Getenv("BULLA_LONG") != "":
		kills = 500
	case testing.Short():
		kills = 10
	}
	dir := t.TempDir()
	run := func(args ...string) int { return start(t, dir, nil, args...).code() }
	path := filepath.Join(dir, "big.bulla")
	rng := rand.New(rand.NewPCG(1, 15))
	big := make([]byte, 4<<20)
	for i := range big {
		big[i] = byte(rng.Uint32())
	}
	if err := os.WriteFile(filepath.Join(dir, "big"), big, 0o600); err != nil {
		t.Fatal(err)
	}
	if run("keygen", "--default", "-q") != 0 || run("encrypt", "-q", "--parity", "5", "big") != 0 {
		t.Fatal("no container")
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Something is missing early, and there are holes: nearly all of it has to be written.
	damaged := append(bytes.Clone(whole[:9000]), whole[9100:]...)
	clear(damaged[2_000_000:2_300_000])
	clear(damaged[:100])
	restore := func() {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(path + undoSuffix)
	}
	restore()
	began := time.Now()
	if run("repair", "-q", "big.bulla") != 0 {
		t.Fatal("it cannot be repaired")
	}
	takes := time.Since(began)
	for killed := 0; killed < kills; {
		restore()
		for try := 0; ; try++ {
			c := start(t, dir, nil, "repair", "-q", "big.bulla")
			after := time.Duration(rng.Int64N(int64(takes) * 5 / 4))
			if try > 5 {
				after = time.Hour // what is slow must end, too
			}
			limit := time.AfterFunc(after, func() { c.Process.Kill() })
			err := c.Wait()
			limit.Stop()
			if err == nil {
				break
			}
			if c.ProcessState.ExitCode() >= 0 {
				t.Fatalf("after %d kills: %v: %s", killed, err, c.errs.String())
			}
			if killed++; rng.IntN(4) == 0 && exists(path+undoSuffix) { // not before it has finished
				if code := run("repair", "--accept", "big.bulla"); code == 0 && run("repair", "big.bulla") == 0 && !exists(path+undoSuffix) {
					break
				} else if code != 5 {
					t.Fatalf("after %d kills --accept: %d", killed, code)
				}
			}
			if rng.IntN(4) == 0 {
				if _, err := os.Stat(path + undoSuffix); err == nil && run("repair", "--undo", "big.bulla") == 0 {
					if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, damaged) {
						t.Fatalf("after %d kills --undo does not bring back what was there: %v", killed, err)
					}
				}
			}
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, whole) {
			t.Fatalf("after %d kills it is not what it was: %v", killed, err)
		}
	}
	if code := run("verify", "-q", "big.bulla"); code != 0 {
		t.Errorf("verify: %d", code)
	}
}
