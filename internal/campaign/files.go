//go:build unix

package main

import (
	"bytes"
	"os"
	"strings"
)

// changedFiles gives changed files to the verbs that read them.
func changedFiles(c *campaign) (int, func(*trial)) {
	const (
		signed = "sign -q --key ssh c"
		verify = "job verify -q --kek kek --into j m"
		opened = "job decrypt -q --kek kek --into j -o out c"
	)
	runs := []struct{ file, args, first string }{
		{"c", "decrypt -q --kek kek -o out c", ""},
		{"z", "decrypt -q --kek kek -o out z", ""},
		{"c", "cat -q --kek kek c", ""},
		{"c", "verify --kek kek c", ""},
		{"c", "verify --json c", ""},
		{"z", "verify --kek kek -", ""},
		{"c", "inspect c", ""},
		{"c", "salvage --kek kek -o out c", ""},
		{"t", "ls -l --kek kek t", ""},
		{"t", "extract -q --kek kek t out", ""},
		{"t", "diff --kek kek t tree", "extract -q --kek kek -C tree t"},
		{"c", "recipients list --kek kek c", ""},
		{"c", "recipients add -q --open-kek kek --kek kek2 c", ""},
		{"h", "decrypt -q --kek kek --head h -o out c", "head export -q --kek kek -o h c"},
		{"h", "head restore -q --kek kek --head h c", "head export -q --kek kek -o h c"},
		{"s.index", "verify --kek kek s", ""},
		{"s.000001", "cat -q --kek kek s", ""},
		{"damaged.parity", "repair -q --kek kek damaged", ""},
		{"damaged", "repair -q damaged", ""},
		{"damaged", "scrub damaged", ""},
		{"damaged", "job scrub --into j damaged", ""},
		{"damaged.parity", "job scrub --into j damaged", ""},
		{"c", "sign -q --key ssh c", ""},
		{"c.sig", "sign --statement c", signed},
		{"c.sig", "decrypt -q --kek kek --signed-by allowed -o out c", signed},
		{"g", "cat -q -i key -g g -o out c", "grant -q --range 0-300000 -r RECIPIENT --kek kek -o g c"},
		{"key", "keygen -y key", ""},
		{"kek", "decrypt -q --kek kek -o out c", ""},
		{"c", "shred -q --yes --dry-run c", ""},
		{"k", "epoch show k", keeper},
		{"k", "epoch advance -q --yes --to NEXT-02-01 k", keeper},
		{"k.calendar", "encrypt -q -R k.calendar -o out2 plain", keeper},
		{"m", "job verify --kek kek --into j m", ""},
		{"j/plan.json", "job run -q j --part 0", verify},
		{"j/plan.json", "job finish -q j", opened + ";job run -q j --part 0"},
		{"j/000000.done", "job finish j", verify + ";job run -q j --part 0"},
		{"j/plan.json", "job run -q j --part 0", opened},
		{"j.jobkey", "job run -q j --part 0", opened},
		{"j/plan.json", "job status j", planned},
		{"j/plan.json", "job finish j", planned + ";" + runAll},
		{"j/000001.done", "job finish j", planned + ";" + runAll},
		{"s2.000001", "job finish j", planned + ";" + runAll},
	}
	return c.pick(len(runs)*5, 10_000), func(t *trial) {
		r := runs[t.number%len(runs)]
		l := t.begin(&verb{args: r.args, first: r.first})
		defer l.close()
		os.WriteFile(l.path("allowed"), append([]byte("who "), l.scene["ssh.pub"]...), 0o600)
		was, _ := os.ReadFile(l.path(r.file))
		b, what := change(t.rand, was, t.scene["other"])
		t.did = r.args + ", with " + r.file + ": " + what
		if bytes.Equal(b, was) {
			t.void = true
			return
		}
		os.WriteFile(l.path(r.file), b, 0o600)
		got := l.run(nil, r.args, bytes.NewReader(b))
		if now, err := os.ReadFile(l.path("out")); err == nil && !strings.HasPrefix(r.args, "salvage") && !bytes.Equal(now, t.scene["plain"]) && !strings.HasPrefix(r.first, "job decrypt") {
			t.fail("exit code %d, and out is %d bytes that are not the plaintext: %s", got.code, len(now), got.said)
		}
		if now, err := os.ReadFile(l.path(r.file)); got.code != 0 && (err != nil || !strings.HasPrefix(r.args, "repair") && !bytes.Equal(now, b)) {
			t.fail("exit code %d, and %s is changed: %s", got.code, r.file, got.said)
		}
		switch verb, _, _ := strings.Cut(r.args, " "); {
		case verb == "verify" && got.code == 0 && !strings.Contains(got.said+string(got.out), "warning") && !strings.Contains(string(got.out), `"severity"`):
			t.fail("it finds nothing: %s%s", got.out, got.said)
		case verb == "cat" && !strings.Contains(r.args, " -o "):
			want := t.scene["plain"]
			if r.file != "c" {
				want = t.scene["large"]
			}
			if !bytes.HasPrefix(want, got.out) || got.code == 0 && len(got.out) < len(want) {
				t.fail("exit code %d and %d bytes: %s", got.code, len(got.out), got.said)
			}
		case verb == "decrypt" && got.code == 0 && !l.there("out"):
			t.fail("exit code 0, and there is no output: %s", got.said)
		case verb == "repair" && r.file == "damaged.parity": // hostile parity: what opened still opens
			if after := l.run(nil, "salvage --kek kek -o after damaged", nil); after.code != 0 && after.code != 6 {
				t.fail("after a repair nothing is left: %s", after.said)
			}
		}
	}
}
