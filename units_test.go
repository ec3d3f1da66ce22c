package bulla_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The units for systemd in packaging are valid.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no systemd-analyze")
	}
	dir := t.TempDir()
	for _, kind := range []string{"service", "timer"} {
		b, err := os.ReadFile(filepath.Join("packaging", "bulla-scrub@."+kind))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "bulla-scrub@."+kind), b, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("systemd-analyze", "verify", "./bulla-scrub@srv.service", "./bulla-scrub@srv.timer")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
