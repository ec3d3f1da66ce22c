//go:build unix

package bulla_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bulla/internal/job/slurmtest"
	"bulla/internal/storage/s3/s3test"
	"bulla/internal/tpmdev/swtpmtest"
)

// Every command in README.md and docs/tour.md works, one after the other as it is
// written, for someone who has a clone and the files that they name.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command and runs the demo")
	}
	home := t.TempDir()
	sh := newShell(t, home)
	for _, line := range commands(t, "README.md", "docs/tour.md", "docs/library.md") {
		switch {
		case line == "go test ./...": // which runs this
		case strings.HasPrefix(line, "go "), strings.Contains(line, "go install"):
			sh.run(".", line)
		default:
			sh.run(home, line)
		}
		switch {
		case line == "bulla keygen --default":
			sh.prepare()
		case strings.HasPrefix(line, "tar c "):
			sh.run(home, "rm -r photos")
		}
	}
	for name, want := range map[string]string{"copy.tar": "backup.tar", "photos/cat.jpg": "cat.jpg"} {
		if got, want := read(t, filepath.Join(home, name)), read(t, filepath.Join(home, want)); !bytes.Equal(got, want) {
			t.Errorf("%s is not what was encrypted", name)
		}
	}
}

// Every command in docs/keys.md works, one after the other as it is written.
func TestKeysPage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	home := t.TempDir()
	sh := newShell(t, home)
	sh.run(".", "go install ./cmd/bulla")
	emulator := swtpmtest.Start(t)
	sh.env = append(sh.env, "BULLA_TPM="+emulator.Socket)
	for name, text := range map[string]string{"db.dump": "INSERT", "phrase": "correct horse", "pin": "1234"} {
		sh.write(name, []byte(text))
	}
	lines := commands(t, "docs/keys.md")
	for _, line := range lines {
		sh.run(home, line)
	}
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "bulla shred --yes") }) {
		t.Errorf("docs/keys.md has only %q", lines)
	}
	if string(read(t, filepath.Join(home, "restored"))) != "INSERT" || string(read(t, filepath.Join(home, "month.dump"))) != "INSERT" {
		t.Error("what was decrypted is not what was encrypted")
	}
}

// Every command in docs/storage.md works, against a real server.
func TestStoragePage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	home := t.TempDir()
	sh := newShell(t, home)
	sh.run(".", "go install ./cmd/bulla")
	sh.env = append(sh.env, s3test.Env(s3test.Start(t).URL)...)
	for _, line := range commands(t, "docs/storage.md") {
		sh.run(home, line)
		if line == "bulla keygen --default" {
			sh.prepare()
		}
	}
	if !bytes.Equal(read(t, filepath.Join(home, "copy.tar")), read(t, filepath.Join(home, "backup.tar"))) {
		t.Error("what was decrypted is not what was encrypted")
	}
}

// Every command in docs/jobs.md works, with a real Slurm and GNU parallel.
func TestJobsPage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	home := t.TempDir()
	sh := newShell(t, home)
	sh.run(".", "go install ./cmd/bulla")
	sh.env = append(sh.env, slurmtest.Start(t).Env...)
	lines := commands(t, "docs/jobs.md")
	for _, line := range lines {
		sh.run(home, line)
		if line == "bulla keygen --default" {
			sh.prepare()
		}
	}
	for _, line := range []string{"sh sealing.sh", "sbatch --wait opening.slurm", "bulla job finish check"} {
		if !slices.Contains(lines, line) {
			t.Errorf("docs/jobs.md has no %q", line)
		}
	}
}

// commands are the lines of the blocks of pages, and what README.md says in passing of
// help, the demonstration, tests and documentation, without comments and placeholders.
func commands(t *testing.T, pages ...string) (all []string) {
	t.Helper()
	var text string
	for _, page := range pages {
		text += regexp.MustCompile("(?ms)^```\\w.*?^```\n").ReplaceAllString(string(read(t, page)), "") // blocks in other languages
	}
	for _, block := range regexp.MustCompile("(?ms)^```\n(.*?)^```").FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			if line, _, _ = strings.Cut(line, " # "); strings.TrimSpace(line) != "" {
				all = append(all, strings.TrimSpace(line))
			}
		}
	}
	for _, m := range regexp.MustCompile("`((?:bulla help|go (?:doc|run|test))[^`A-Z]*)`").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	if len(all) < 15 || pages[0] == "README.md" && !slices.Contains(all, "go doc bulla/stream") {
		t.Fatalf("%s has only %q", pages, all)
	}
	return all
}

// A shell runs commands as somebody whose home is an empty folder.
type shell struct {
	t    *testing.T
	home string
	env  []string
}

func newShell(t *testing.T, home string) *shell {
	bin := filepath.Join(home, "bin")
	sh := &shell{t, home, append(os.Environ(), "GOBIN="+bin, "PATH="+bin+":"+os.Getenv("PATH"),
		"BULLA_CONFIG_DIR="+filepath.Join(home, "config"), "BULLA_TPM="+filepath.Join(home, "no-tpm"))}
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	sh.write("bin/ssh", []byte("#!/bin/sh\nshift\nexec sh -c \"$*\"\n"))
	return sh
}

// run runs a line, which must succeed; salvage does with a loss (6).
func (sh *shell) run(dir, line string) {
	sh.t.Helper()
	line = strings.ReplaceAll(line, "age1pq1…", `"$OTHER"`)
	cmd := exec.Command("bash", "-o", "pipefail", "-c", line)
	cmd.Dir, cmd.Env = dir, sh.env
	if out, err := cmd.CombinedOutput(); err != nil && !(cmd.ProcessState.ExitCode() == 6 && strings.Contains(line, "salvage")) {
		sh.t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

func (sh *shell) write(name string, b []byte) {
	sh.t.Helper()
	if err := os.WriteFile(filepath.Join(sh.home, name), b, 0o700); err != nil {
		sh.t.Fatal(err)
	}
}

// prepare makes the files that README.md's user has, once there is a key.
func (sh *shell) prepare() {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "etc/fstab", Size: 4, Mode: 0o600}); err != nil {
		sh.t.Fatal(err)
	}
	w.Write([]byte("none"))
	w.Close()
	sh.write("backup.tar", archive.Bytes())
	sh.write("disk.img", nil)
	if err := os.Truncate(filepath.Join(sh.home, "disk.img"), 102<<20); err != nil {
		sh.t.Fatal(err)
	}
	sh.write("cat.jpg", bytes.Repeat([]byte("miaow"), 1<<18))
	sh.run(sh.home, "mkdir photos && cp cat.jpg photos && cp config/recipients.txt team.txt")
	sh.run(sh.home, "bulla encrypt -o disk.img.bulla disk.img && bulla encrypt -o damaged.bulla cat.jpg")
	sh.run(sh.home, "dd if=/dev/zero of=damaged.bulla bs=1000 seek=300 count=100 conv=notrunc")
	sh.run(sh.home, "bulla keygen -o other.txt && bulla keygen -y other.txt > other.pub")
	sh.env = append(sh.env, "OTHER="+strings.TrimSpace(string(read(sh.t, filepath.Join(sh.home, "other.pub")))))
}

// The calls that docs/library.md shows in short compile.
func TestReadmeGo(t *testing.T) {
	_, short, _ := strings.Cut(string(read(t, "docs/library.md")), "In short:")
	code := regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindStringSubmatch(short)
	if code == nil {
		t.Fatal("docs/library.md has no calls in short")
	}
	dir := t.TempDir()
	program := `package main
import ("context"; "io"; "bulla/stream")
func f(ctx context.Context, dst io.Writer, src interface{ io.Reader; io.ReaderAt }, size int64, recipients []stream.Recipient, identities []stream.Identity) (w *stream.Writer, r *stream.Reader, ra *stream.ReaderAt, report *stream.Report, err error) {
` + strings.ReplaceAll(code[1], ", err := ", ", err = ") + `
return }
func main() {}
`
	overlay := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "readme", "main.go"): overlay("main.go", []byte(program))}})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay("overlay.json", replace), "-o", os.DevNull, "./readme").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
