package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// ofRole writes a container of a role for the key in NAME.kek, which it makes.
func ofRole(t *testing.T, dir, name string, part format.Part) {
	t.Helper()
	key := bytes.Repeat([]byte{7}, 32)
	k, err := keyslot.NewKEK(key)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := stream.NewWriter(t.Context(), &b, []stream.Recipient{k}, &stream.WriterOptions{Part: part})
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("what is inside"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{name: b.Bytes(), name + ".kek": key} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// saidBy runs the command and returns what it says.
func saidBy(dir string, stdin []byte, args ...string) (code int, out, errs string) {
	cmd := exec.Command("bulla", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config")), bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// What is no file of its own is read by no verb as one, and every verb says what
// it is and what to do; what is said of its head, or does not give its content,
// works as with any file.
func TestRoles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		part format.Part
		what string
		hint string
	}{
		{format.Part{Role: format.RoleVolume, Set: format.SetID{1}, Number: 3}, "x is a volume, not a file of its own [ROLE-2]", "name the set's root"},
		{format.Part{Role: format.RoleRoot, Set: format.SetID{1}}, "", ""}, // read as its set, which it is not the root of
		{format.Part{Role: format.RoleIndex, Set: format.SetID{1}}, "x is a set index, not a file of its own [ROLE-2]", "name the set's root"},
		{format.Part{Role: format.RoleGrant}, "x is a grant, not a file of its own [ROLE-2]", "name it beside the file"},
	} {
		t.Run(c.part.Role.String(), func(t *testing.T) {
			dir := t.TempDir()
			ofRole(t, dir, "x", c.part)
			b, err := os.ReadFile(filepath.Join(dir, "x"))
			if err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{"decrypt", "--kek", "x.kek", "-o", "out", "x"},
				{"decrypt", "--kek", "x.kek", "--raw", "-o", "out", "x"},
				{"decrypt", "-o", "out", "x"}, // what it is shows without a key
				{"cat", "--kek", "x.kek", "x"},
				{"cat", "--kek", "x.kek", "--range", "0-3", "x"},
				{"cat", "--kek", "x.kek", "--truncated", "x"},
				{"ls", "--kek", "x.kek", "x"},
				{"extract", "--kek", "x.kek", "x"},
				{"salvage", "--kek", "x.kek", "-o", "out", "x"},
			} {
				code, out, errs := saidBy(dir, nil, args...)
				if c.what == "" {
					if code == 0 || code == exitIO || !strings.Contains(errs, "bulla: hint: ") {
						t.Errorf("%q: exit code %d, %s", args, code, errs)
					}
				} else if code != exitUnsupported || !strings.Contains(errs, "bulla: error: "+c.what+"\n") || !strings.Contains(errs, "bulla: hint: ") || !strings.Contains(errs, c.hint) {
					t.Errorf("%q: exit code %d, %s", args, code, errs)
				}
				if strings.Contains(out, "inside") {
					t.Errorf("%q gave its content", args)
				}
			}
			if code, out, errs := saidBy(dir, b, "decrypt", "--kek", "x.kek"); code != exitUnsupported || out != "" {
				t.Errorf("decrypt of a stream: exit code %d, %s", code, errs)
			}
			if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
				t.Error("there is an output")
			}
			for _, args := range [][]string{
				{"verify", "--kek", "x.kek", "x"},
				{"verify", "--no-key", "x"},
				{"recipients", "list", "--kek", "x.kek", "x"},
				{"recipients", "add", "--open-kek", "x.kek", "-r", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", "x"},
				{"recipients", "remove", "--open-kek", "x.kek", "--slot", "2", "x"},
				{"recipients", "repair", "--kek", "x.kek", "x"},
				{"head", "export", "--kek", "x.kek", "-o", "x.head", "x"},
				{"inspect", "x.head"},
			} {
				want := 0
				switch {
				case c.part.Role == format.RoleRoot && args[0] == "verify":
					want = exitBad // there is no set
				case c.part.Role.InSet() && c.part.Role != format.RoleRoot && args[0] == "recipients" && args[1] != "list":
					want = exitUsage // they are the root's
				}
				if code, _, errs := saidBy(dir, nil, args...); code != want {
					t.Errorf("%q: exit code %d, not %d: %s", args, code, want, errs)
				}
			}
			code, out, _ := saidBy(dir, nil, "inspect", "x")
			role := "\nrole        " + c.part.Role.String()
			if c.part.Role.InSet() {
				role += " of set 010000000000000000000000"
			}
			if c.part.Role == format.RoleVolume {
				role += "\nnumber      3"
			}
			if code != 0 || !strings.Contains(out, role+"\n") {
				t.Errorf("inspect: exit code %d, %s", code, out)
			}
		})
	}
}

// A container of another version is named as one, and what to do with it; nothing
// calls it damaged.
func TestOtherVersions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ofRole(t, dir, "x", format.Part{})
	name := filepath.Join(dir, "x")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write := func(version byte, slot uint16) {
		for _, c := range [][]byte{b[:4096], b[len(b)-4096:]} {
			c[10] = version
			binary.BigEndian.PutUint16(c[102:], slot)
			binary.BigEndian.PutUint32(c[4092:], crc32.Checksum(c[:4092], crc32.MakeTable(crc32.Castagnoli)))
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(3, 1)
	if code, _, errs := saidBy(dir, nil, "decrypt", "--kek", "x.kek", "-o", "out", "x"); code != exitUnsupported || !strings.Contains(errs, "version is 3") || !strings.Contains(errs, "a newer bulla") {
		t.Errorf("version 3: exit code %d, %s", code, errs)
	}
	write(1, 4) // version 1 had a slot where there are copy pages now
	for _, args := range [][]string{
		{"decrypt", "--kek", "x.kek", "-o", "out", "x"},
		{"cat", "--kek", "x.kek", "x"},
		{"ls", "--kek", "x.kek", "x"},
		{"extract", "--kek", "x.kek", "x"},
		{"verify", "--kek", "x.kek", "x"},
		{"verify", "--no-key", "x"},
		{"inspect", "x"},
		{"recipients", "list", "--kek", "x.kek", "x"},
		{"recipients", "repair", "--kek", "x.kek", "x"},
		{"head", "export", "--kek", "x.kek", "-o", "x.head", "x"},
		{"salvage", "--kek", "x.kek", "-o", "out", "x"},
	} {
		if code, _, errs := saidBy(dir, nil, args...); code != exitUnsupported || !strings.Contains(errs, "version is 1") || !strings.Contains(errs, "CHANGELOG.md names") {
			t.Errorf("%q: exit code %d, %s", args, code, errs)
		}
	}
}
