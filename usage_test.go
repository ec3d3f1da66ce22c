//go:build unix

package bulla_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every command in the pages by use works, one after the other as it is written, and ends as
// the page says.
func TestUsagePages(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	const photos = "mkdir photos && head -c 3000000 /dev/urandom > photos/cat.jpg && echo dog > photos/dog.txt"
	const key = "bulla keygen -q -o key.txt && bulla keygen -y key.txt > key.pub"
	for _, page := range []struct {
		name   string
		before string            // makes what the page says that its folder has
		after  map[string]string // what happens after a line
		least  int               // how many lines it has
		same   [][2]string       // files that are equal in the end
	}{
		{"backup", photos + " && head -c 100M /dev/urandom > disk.img && mkdir disk restored && : > nst0", nil, 20, [][2]string{
			{"whole.img", "disk.img"}, {"some/photos/cat.jpg", "photos/cat.jpg"}, {"restored/photos/cat.jpg", "photos/cat.jpg"}, {"shop.sql", "pg_dump"}}},
		{"recovery", photos + " && tar cf backup.tar photos && " + key, map[string]string{
			"bulla head export -i key.txt -o backup.head backup.tar.bulla": "cp backup.tar.bulla headless.tar.bulla && cp backup.tar.bulla torn.tar.bulla && n=$(stat -c %s torn.tar.bulla) && " +
				"for f in backup torn; do dd if=/dev/zero of=$f.tar.bulla bs=1000 seek=300 count=50 conv=notrunc; done && " +
				"for at in 0 $((n-4096)); do dd if=/dev/zero of=headless.tar.bulla bs=1 count=4096 seek=$at conv=notrunc; done",
		}, 14, [][2]string{{"restored.tar", "backup.tar"}, {"by-head.tar", "backup.tar"}, {"saved2.tar", "backup.tar"}, {"drill.tar", "backup.tar"}}},
		{"checking", photos + " && " + key + " && tar c photos | bulla encrypt -R key.pub -o photos.tar.bulla", nil, 16, nil},
	} {
		t.Run(page.name, func(t *testing.T) {
			home := t.TempDir()
			sh := newShell(t, home)
			sh.run(".", "go install ./cmd/bulla")
			for name, text := range map[string]string{
				"bin/pg_dump": "#!/bin/sh\ncat " + filepath.Join(home, "pg_dump") + "\n",
				"pg_dump":     "INSERT",
				"bin/mt":      "#!/bin/sh\n[ \"$3\" = rewind ]\n",
			} {
				sh.write(name, []byte(text))
			}
			sh.run(home, page.before)
			text := read(t, filepath.Join("docs", page.name+".md"))
			if script := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindSubmatch(text); script != nil {
				sh.write("nightly", script[1])
			}
			at := strings.NewReplacer("/dev/nst0", "nst0", "~/.config/bulla", "config")
			ends := regexp.MustCompile(`# ends with (\d+)`)
			lines := 0
			for _, block := range regexp.MustCompile("(?ms)^```\\w*\n(.*?)^```").FindAllSubmatch(text, -1) {
				if !bytes.HasPrefix(block[0], []byte("```\n")) {
					continue
				}
				for line := range strings.Lines(string(block[1])) {
					line = strings.TrimSpace(line)
					want := 0
					if m := ends.FindStringSubmatch(line); m != nil {
						want, _ = strconv.Atoi(m[1])
					} else if strings.HasPrefix(line, "bulla salvage") && strings.Contains(line, " torn.") {
						want = 6
					}
					cmd := exec.Command("bash", "-o", "pipefail", "-c", at.Replace(line))
					cmd.Dir, cmd.Env = home, sh.env
					if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != want {
						t.Fatalf("%s: exit code %d, want %d\n%s", line, cmd.ProcessState.ExitCode(), want, out)
					}
					command, _, _ := strings.Cut(line, " # ")
					if then := page.after[strings.TrimSpace(command)]; then != "" {
						sh.run(home, then)
					}
					lines++
				}
			}
			if lines < page.least {
				t.Errorf("the page has only %d lines", lines)
			}
			for _, s := range page.same {
				if !bytes.Equal(read(t, filepath.Join(home, s[0])), read(t, filepath.Join(home, s[1]))) {
					t.Errorf("%s is not %s", s[0], s[1])
				}
			}
		})
	}
}

// The program in docs/library.md does what the page says.
func TestLibraryPage(t *testing.T) {
	code := regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindSubmatch(read(t, "docs/library.md"))
	if code == nil {
		t.Fatal("docs/library.md has no program")
	}
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	program, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "library", "main.go"): program}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{program: code[1], overlay: replace} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("go", "run", "-overlay", overlay, "./library").CombinedOutput()
	if err != nil || string(out) != "5678901234\ntrue\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
