package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"bulla/format"
	"bulla/internal/storage/s3/s3test"
)

// A schema is the objects in docs/json.md by their names.
type schema map[string]map[string]field

type field struct {
	kind     string // "string", "[finding]"
	optional bool
	null     bool // its value may be null
}

// readSchema reads the blocks of docs/json.md.
func readSchema(t *testing.T) schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "json.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := make(schema)
	for i, block := range strings.Split(string(text), "```\n") {
		if i%2 == 0 {
			continue
		}
		lines := strings.Split(strings.TrimRight(block, "\n"), "\n")
		fields := make(map[string]field)
		for _, line := range lines[1:] {
			name, rest, _ := strings.Cut(strings.TrimSpace(line), "  ")
			kind, _, _ := strings.Cut(strings.TrimSpace(rest), "  ")
			kind, optional := strings.CutSuffix(kind, "?")
			kind, null := strings.CutSuffix(kind, " or null")
			if _, twice := fields[name]; twice || !strings.HasPrefix(line, "  ") || kind == "" {
				t.Errorf("docs/json.md, %s: %q", lines[0], line)
			}
			fields[name] = field{kind, optional, null}
		}
		for _, name := range strings.Split(lines[0], ", ") {
			if s[name] != nil {
				t.Errorf("docs/json.md has %s twice", name)
			}
			s[name] = fields
		}
	}
	return s
}

// check returns what is wrong with a value of a kind. seen counts the fields.
func (s schema) check(kind string, v any, seen map[string]bool) error {
	ok := true
	switch kind {
	case "string":
		_, ok = v.(string)
	case "boolean":
		_, ok = v.(bool)
	case "integer":
		n, is := v.(json.Number)
		ok = is && !strings.ContainsAny(n.String(), ".eE")
	case "time":
		text, _ := v.(string)
		_, err := time.Parse(time.RFC3339, text)
		ok = err == nil && strings.HasSuffix(text, "Z")
	case "base64":
		text, _ := v.(string)
		b, err := base64.StdEncoding.DecodeString(text)
		ok = err == nil && len(b) > 0
	default:
		if of, is := strings.CutPrefix(kind, "["); is {
			list, is := v.([]any)
			for _, v := range list {
				if err := s.check(strings.TrimSuffix(of, "]"), v, seen); err != nil {
					return err
				}
			}
			ok = is
			break
		}
		return s.checkObject(kind, v, seen)
	}
	if !ok {
		return fmt.Errorf("%v is no %s", v, kind)
	}
	return nil
}

func (s schema) checkObject(name string, v any, seen map[string]bool) error {
	fields, known := s[name]
	object, is := v.(map[string]any)
	if !known || !is {
		return fmt.Errorf("%v is no %s", v, name)
	}
	for key, v := range object {
		f, known := fields[key]
		if !known {
			return fmt.Errorf("%s has a field %s, which docs/json.md does not have", name, key)
		}
		seen[name+"."+key] = true
		if v == nil && f.null {
			continue
		}
		if err := s.check(f.kind, v, seen); err != nil {
			return fmt.Errorf("%s.%s: %w", name, key, err)
		}
	}
	for key, f := range fields {
		if _, there := object[key]; !there && !f.optional {
			return fmt.Errorf("%s has no field %s", name, key)
		}
	}
	return nil
}

// TestJSON runs every verb with --json and holds what it writes to docs/json.md.
func TestJSON(t *testing.T) {
	t.Parallel()
	s, dir, seen := readSchema(t), t.TempDir(), make(map[string]bool)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage := func(name string, at int) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if at < 0 {
			at += len(b)
		}
		b[at] ^= 1
		write(name, string(b))
	}
	lines := func(object string, args []string, text []byte) {
		t.Helper()
		for line := range bytes.Lines(text) {
			var v any
			d := json.NewDecoder(bytes.NewReader(line))
			d.UseNumber()
			object := object
			if object == "diff" && bytes.HasPrefix(line, []byte(`{"input"`)) {
				object = "diff (at its end)"
			}
			if err := d.Decode(&v); err != nil {
				t.Errorf("%q: %v in %s", args, err, line)
			} else if err := s.check(object, v, seen); err != nil {
				t.Errorf("%q: %v: %s", args, err, line)
			}
		}
	}
	url, cert, stop, err := serveHTTPS(dir, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	env := append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"), "BULLA_TPM="+filepath.Join(dir, "none"), "TEST_NOW=2027-03-15T00:00:00Z", "SSL_CERT_FILE="+cert)
	srv := s3test.Start(t)
	env = append(env, s3test.Env(srv.URL)...)
	run := func(exit int, object string, args ...string) {
		t.Helper()
		cmd := exec.Command("bulla", append(args, "--json")...)
		cmd.Dir, cmd.Env = dir, env
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exit || exit == 0 && stdout.Len() == 0 {
			t.Errorf("%q: exit code %d, %q: %s", args, code, stdout.Bytes(), stderr.Bytes())
		}
		if object != "" {
			lines(object, args, stdout.Bytes())
		}
		for line := range bytes.Lines(stderr.Bytes()) {
			of := "error"
			if bytes.HasPrefix(line, []byte(`{"warning"`)) {
				of = "warning"
			} else if bytes.HasPrefix(line, []byte(`{"storage"`)) {
				of = "storage"
			}
			lines(of, args, line)
		}
	}

	write("pass", "correct horse")
	write("letter", strings.Repeat("Dear reader\n", 20_000))
	const age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
	if out, err := exec.Command("tar", "-C", dir, "-cf", filepath.Join(dir, "a.tar"), "letter", "pass").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v, %s", err, out)
	}
	run(0, "keygen", "keygen", "--default")
	run(0, "keygen", "keygen", "-o", "key")
	run(0, "keygen", "keygen", "--kek", "-o", "kek")
	run(0, "keygen", "keygen", "-y", "key")
	run(0, "epoch create", "epoch", "create", "2027", "--every", "month", "-o", "keeper")
	run(0, "epoch extend", "epoch", "extend", "keeper", "2028")
	run(0, "epoch show", "epoch", "show", "keeper", "--check", "keeper.calendar")
	run(0, "encrypt", "encrypt", "-R", "keeper.calendar", "-o", "epoch.bulla", "letter")
	run(0, "epoch advance", "epoch", "advance", "keeper", "--to", "2027-04-01", "--yes", "epoch.bulla")
	run(0, "epoch advance", "epoch", "advance", "keeper", "--to", "2029-01-01", "--yes")
	run(0, "encrypt", "encrypt", "letter")
	run(0, "encrypt", "encrypt", "a.tar")
	run(0, "encrypt", "encrypt", "--passphrase-file", "pass", "-o", "p.bulla", "letter")
	run(0, "encrypt", "encrypt", "-r", age, "-o", "age.bulla", "letter")
	run(0, "encrypt", "encrypt", "--volume-size", "3M", "-o", "set.bulla", "letter")
	run(0, "verify", "verify", "set.bulla")
	damage("set.bulla.000000", 5000)
	run(exitBad, "verify", "verify", "set.bulla")
	run(exitRefused, "", "encrypt", "letter")
	run(exitUsage, "", "encrypt", "--level", "x", "letter")
	run(0, "decrypt", "decrypt", "-o", "out", "letter.bulla")
	run(0, "verify", "verify", "letter.bulla", "a.tar.bulla")
	run(0, "verify", "verify", "--hash", "letter.bulla")
	run(0, "verify", "verify", "--no-key", "letter.bulla")
	run(0, "verify", "verify", "--sample", "1/2", "letter.bulla")
	run(0, "verify", "verify", url+"/letter.bulla")
	run(0, "verify --explain", "verify", "--explain", "CHUNK-1")
	run(0, "cat", "cat", "-o", "part", "--range", "0-9", "letter.bulla")
	run(0, "cat", "cat", "-o", "member", "a.tar.bulla::letter")
	run(0, "grant", "grant", "--range", "0-9", "-r", age, "-o", "letter.grant", "letter.bulla")
	run(0, "ls", "ls", "a.tar.bulla")
	run(0, "extract", "extract", "-C", ".", "--force", "a.tar.bulla", "pass")
	run(exitDiffers, "diff", "diff", "a.tar.bulla", dir)
	write("pass", "changed")
	run(exitDiffers, "diff", "diff", "a.tar.bulla", dir)
	run(0, "inspect", "inspect", "letter.bulla")
	run(0, "inspect", "inspect", "p.bulla")
	sshKey(t, filepath.Join(dir, "ssh"))
	run(0, "sign", "sign", "--key", "ssh", "--label", "a letter", "letter.bulla")
	run(0, "verify", "verify", "letter.bulla")
	write("nobody", "")
	write("allowed", "alice "+sshKey(t, filepath.Join(dir, "ssh2")))
	run(exitBad, "verify", "verify", "--signed-by", "nobody", "letter.bulla")
	run(0, "sign", "sign", "--key", "ssh2", "--force", "--label", "a letter", "letter.bulla")
	run(0, "verify", "verify", "--signed-by", "allowed", "letter.bulla")
	run(0, "inspect", "inspect", "letter.bulla")
	run(0, "inspect", "inspect", "age.bulla")
	ofRole(t, dir, "volume", format.Part{Role: format.RoleVolume})
	run(0, "inspect", "inspect", "volume")
	run(0, "inspect --extract-slot", "inspect", "--extract-slot", "1", "-o", "slot", "p.bulla")
	run(0, "inspect --extract-slot", "inspect", "--extract-slot", "1", "-o", "slot.age", "age.bulla")
	for _, name := range []string{"letter.bulla", "p.bulla", "age.bulla"} {
		run(0, "recipients list", "recipients", "list", name)
	}
	run(0, "recipients add", "recipients", "add", "--dry-run", "--kek", "kek", "letter.bulla")
	run(0, "recipients add", "recipients", "add", "--kek", "kek", "-o", "kek.head", "letter.bulla")
	run(0, "recipients add", "recipients", "add", "--kek", "kek", "letter.bulla")
	run(0, "recipients add", "recipients", "add", "--kek", "kek", "letter.bulla")
	run(0, "head export", "head", "export", "-o", "letter.head", "letter.bulla")
	run(0, "inspect", "inspect", "letter.head")
	run(exitBad, "verify", "verify", "letter.head")
	run(0, "recipients remove", "recipients", "remove", "--dry-run", "--kek", "kek", "letter.bulla")
	run(0, "recipients remove", "recipients", "remove", "--kek", "kek", "-o", "new.head", "letter.bulla")
	damage("letter.bulla", 200)
	run(exitBad, "verify", "verify", "letter.bulla")
	run(0, "recipients repair", "recipients", "repair", "--dry-run", "letter.bulla")
	run(0, "recipients repair", "recipients", "repair", "letter.bulla")
	damage("letter.bulla", 200)
	run(0, "head restore", "head", "restore", "--dry-run", "--head", "letter.head", "letter.bulla")
	run(0, "head restore", "head", "restore", "--head", "letter.head", "letter.bulla")
	damage("letter.bulla", -40_000)
	run(exitLoss, "salvage", "salvage", "-o", "saved", "letter.bulla")
	killedUpload(t, dir, env, "s3://bucket/killed.bulla")
	run(0, "storage uploads", "storage", "uploads", "s3://bucket")
	run(0, "storage uploads", "storage", "uploads", "--abort", "s3://bucket")
	write("out.parity", "")
	if err := errors.Join(os.Rename(filepath.Join(dir, "p.bulla"), filepath.Join(dir, "out")), os.Link(filepath.Join(dir, "out"), filepath.Join(dir, "hard")), os.Symlink("out", filepath.Join(dir, "soft"))); err != nil {
		t.Fatal(err)
	}
	write("soft.parity", "")
	run(0, "shred", "shred", "--dry-run", "soft")
	run(0, "shred", "shred", "--yes", "age.bulla", "out")

	run(0, "encrypt", "encrypt", "--parity", "5", "-o", "kept.bulla", "letter")
	run(0, "parity create", "parity", "create", "-o", "other", "kept.bulla")
	run(0, "scrub", "scrub", "kept.bulla")
	damage("kept.bulla", 100_000)
	run(exitBad, "scrub", "scrub", "--parity-file", "other", "kept.bulla")
	run(0, "repair", "repair", "-o", "copy.bulla", "kept.bulla")
	run(0, "repair", "repair", "kept.bulla")
	write("pieces", strings.Repeat("0123456789abcdef", 300_000))
	run(0, "encrypt", "encrypt", "--volume-size", "3M", "--parity", "5", "-o", "pieces.bulla", "pieces")
	run(0, "scrub", "scrub", "pieces.bulla")
	damage("pieces.bulla.000001", 100_000)
	run(exitBad, "scrub", "scrub", "pieces.bulla")
	run(0, "repair", "repair", "pieces.bulla")
	for _, name := range []string{"pieces.bulla.000001.parity", "pieces.bulla.000001"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		run(exitIO, "scrub", "scrub", "pieces.bulla")
		run(exitIO, "repair", "repair", "pieces.bulla")
	}
	run(exitLoss, "salvage", "salvage", "-o", "rest", "pieces.bulla")

	write("plain", strings.Repeat("0123456789abcdef", 2<<20)) // 32 MiB
	run(0, "encrypt", "encrypt", "--parity", "5", "-o", "big.bulla", "plain")
	run(0, "job encrypt", "job", "encrypt", "--volume-size", "20M", "--into", "jobs/e", "-o", "je.bulla", "plain")
	run(0, "job encrypt", "job", "encrypt", "--volume-size", "20M", "--into", "s3://bucket/jobs/es", "-o", "s3://bucket/je.bulla", "plain")
	run(0, "job decrypt", "job", "decrypt", "--into", "jobs/d", "-o", "jd", "big.bulla")
	run(0, "job decrypt", "job", "decrypt", "--into", "s3://bucket/jobs/t", "-o", "s3://bucket/jd", "big.bulla")
	run(0, "job scrub", "job", "scrub", "--into", "jobs/s", "big.bulla")
	damage("big.bulla", 100_000)
	damage("big.bulla", 200)
	run(exitNoKey, "", "job", "verify", "--into", "jobs/none", "-i", "keeper", "big.bulla")
	run(0, "job verify", "job", "verify", "--parts", "2", "--into", "jobs/v", "big.bulla")
	for _, part := range []string{"0", "1"} {
		for _, job := range []string{"jobs/e", "jobs/v", "jobs/d", "s3://bucket/jobs/es"} {
			exit := 0
			if job == "jobs/d" { // its source has changed
				exit = exitRefused
			}
			run(exit, "job run", "job", "run", job, "--part", part)
		}
	}
	run(exitRefused, "", "job", "run", "jobs/s", "--part", "0")
	for _, job := range []string{"jobs/e", "jobs/v", "jobs/d"} {
		run(0, "job status", "job", "status", job)
	}
	run(exitBad, "verify", "job", "finish", "jobs/v")
	run(exitRefused, "", "job", "finish", "jobs/d")
	run(0, "encrypt", "job", "finish", "jobs/e")
	run(0, "encrypt", "job", "finish", "s3://bucket/jobs/es")
	run(0, "job scrub", "job", "scrub", "--into", "jobs/s2", "--parity-file", "big.bulla.parity", "big.bulla")
	run(0, "job run", "job", "run", "jobs/s2", "--part", "0")
	run(exitBad, "scrub", "job", "finish", "jobs/s2")
	filesOfJobs(t, []string{dir, srv.Dir + "/bucket"}, func(kind string, text []byte) { lines(kind, []string{"job"}, text) })
	run(0, "entropy", "entropy")
	run(0, "entropy test", "entropy", "test", "os")
	run(0, "version", "version")

	everyPage(func(cmd *cobra.Command, name string) {
		if exitStatus(cmd) != "" && s[name] == nil && name != "completion" && name != "entropy read" && name != "job script" && name != "job finish" {
			t.Errorf("docs/json.md does not have %s", name)
		}
	})
	// Not every machine has these, nor every run.
	rare := []string{"input_base64", "output_base64", "file_base64", "name_base64", "path_base64", "owner", "link", "tpm", "commit", "commit_time", "detail", "reason", "hint", "coding", "read_failed"}
	for name, fields := range s {
		for key := range fields {
			if !seen[name+"."+key] && !slices.Contains(rare, key) && name != "tpm" && name != "shift" && name != "mount" && name != "serve" {
				t.Errorf("%s.%s is in docs/json.md, and in no output of this test", name, key)
			}
		}
	}
}

// TestSchemaIsStrict has the checker of TestJSON refuse what it must.
func TestSchemaIsStrict(t *testing.T) {
	s := schema{"x": {"a": {"string", false, false}, "n": {"integer", true, true}, "l": {"[x]", true, false}}}
	for text, ok := range map[string]bool{
		`{"a":"b"}`: true, `{"a":"b","n":null}`: true, `{"a":"b","n":1,"l":[{"a":"c"}]}`: true,
		`{}`: false, `{"a":1}`: false, `{"a":"b","z":1}`: false, `{"a":"b","n":1.5}`: false, `{"a":"b","n":"1"}`: false,
		`{"a":"b","l":[{}]}`: false, `{"a":"b","l":{}}`: false, `[]`: false, `{"a":null}`: false, `{"a":"b","l":null}`: false,
	} {
		var v any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if err := s.check("x", v, make(map[string]bool)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// sshKey makes a private key, as ssh-keygen does, and returns the public one as a line.
func sshKey(t *testing.T, path string) string {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err == nil {
		err = os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(line))
}
