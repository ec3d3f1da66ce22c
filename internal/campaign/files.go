//go:build unix

package main

import (
	"bytes"
	"os"
	"strings"
)

// changedFiles gives changed files to the verbs that read them.
func changedFiles(c *campaign) (int, func(*trial)) {
	runs := []struct{ file, args string }{
		{"c", "decrypt -q --kek kek -o out c"},
		{"z", "decrypt -q --kek kek -o out z"},
		{"c", "cat -q --kek kek c"},
		{"c", "verify --kek kek c"},
		{"c", "verify --json c"},
		{"z", "verify --kek kek -"},
		{"c", "inspect c"},
		{"c", "salvage --kek kek -o out c"},
		{"t", "ls -l --kek kek t"},
		{"t", "extract -q --kek kek t out"},
		{"c", "recipients list --kek kek c"},
		{"c", "recipients add -q --open-kek kek --kek kek2 c"},
		{"s.index", "verify --kek kek s"},
		{"s.000001", "cat -q --kek kek s"},
		{"damaged.parity", "repair -q --kek kek damaged"},
		{"damaged", "repair -q damaged"},
		{"damaged", "scrub damaged"},
		{"c", "sign -q --key ssh c"},
		{"key", "keygen -y key"},
		{"kek", "decrypt -q --kek kek -o out c"},
	}
	return c.pick(200, 6_000), func(t *trial) {
		r := runs[t.number%len(runs)]
		l := t.lab("kek", "kek2", "ssh", "c", "z", "t", "s", "s.000000", "s.000001", "s.000002", "s.index", "damaged", "damaged.parity", "key")
		defer l.close()
		b, what := change(t.rand, t.scene[r.file], t.scene["other"])
		t.did = r.args + ", with " + r.file + ": " + what
		if bytes.Equal(b, t.scene[r.file]) {
			t.void = true
			return
		}
		os.WriteFile(l.path(r.file), b, 0o600)
		in := bytes.NewReader(b)
		got := l.run(nil, r.args, in)
		switch verb, _, _ := strings.Cut(r.args, " "); {
		case verb == "verify" && got.code == 0 && !strings.Contains(got.said+string(got.out), "warning") && !strings.Contains(string(got.out), `"severity"`):
			t.fail("it finds nothing: %s%s", got.out, got.said)
		case verb == "cat":
			want := t.scene["plain"]
			if r.file != "c" {
				want = t.scene["large"]
			}
			if !bytes.HasPrefix(want, got.out) || got.code == 0 && len(got.out) < len(want) {
				t.fail("exit code %d and %d bytes: %s", got.code, len(got.out), got.said)
			}
		case verb == "decrypt" && r.file != "kek":
			l.after(&verbPlain, got)
		case verb == "repair" && r.file == "damaged.parity": // hostile parity: what opened still opens
			if after := l.run(nil, "salvage --kek kek -o after damaged", nil); after.code != 0 && after.code != 6 {
				t.fail("after a repair nothing is left: %s", after.said)
			}
		case got.code != 0:
			if now, err := os.ReadFile(l.path(r.file)); err != nil || verb != "repair" && !bytes.Equal(now, b) {
				t.fail("exit code %d, and %s is changed: %s", got.code, r.file, got.said)
			}
		}
	}
}

// verbPlain is any verb whose output is the plaintext.
var verbPlain = verb{args: "decrypt c", reads: []string{"kek"}, out: "out"}
