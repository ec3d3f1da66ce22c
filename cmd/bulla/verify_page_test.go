package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A browser shows the page of verify --report as it is meant: what was checked, each
// clause, and what is damaged, marked in the picture. Nothing in a name acts on it.
func TestReportInBrowser(t *testing.T) {
	dir := workDir(t)
	name := `<b onclick=x>&"'.bulla`
	if err := os.WriteFile(filepath.Join(dir, "plain"), bytes.Repeat([]byte("bulla"), 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "-o", name, "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte("damage"), 9_000_000)
	f.Close()
	if c := start(t, dir, nil, "verify", "--hash", "--report", "check.html", name); c.code() != exitBad {
		t.Fatal(c.errs.String())
	}
	page, err := os.ReadFile(filepath.Join(dir, "check.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"http", "src=", "href=", "<script", "url("} {
		if bytes.Contains(bytes.ReplaceAll(page, []byte("http-equiv"), nil), []byte(outside)) {
			t.Errorf("the page has %q in it", outside)
		}
	}
	if c := start(t, dir, nil, "verify", "--report", "check.html", name); c.code() != exitRefused || !strings.Contains(c.errs.String(), "--report names another") {
		t.Errorf("a report is replaced: %s", c.errs.String())
	}

	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip(err)
	}
	browse := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(chromium, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + filepath.Join(dir, "profile")}, args...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, err.(*exec.ExitError).Stderr)
		}
		return string(out)
	}
	url := "file://" + filepath.Join(dir, "check.html")
	dom := browse("--dump-dom", url)
	for _, want := range []string{
		`<h2>&lt;b onclick=x&gt;&amp;"'.bulla</h2>`,
		"INVALID: 1 violation",
		`<rect class="bulla-mark"`,
		"CHUNK-1 (violation)",
		"bulla salvage",
		`<td class="failed">failed</td>`,
		"SHA-256",
		"bulla verify --hash --report check.html",
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("the browser does not show %q", want)
		}
	}
	artefacts := t.ArtifactDir()
	browse("--screenshot="+filepath.Join(artefacts, "report.png"), "--window-size=1000,1400", url)
	browse("--print-to-pdf="+filepath.Join(artefacts, "report.pdf"), url)
	for _, name := range []string{"report.png", "report.pdf"} {
		if st, err := os.Stat(filepath.Join(artefacts, name)); err != nil || st.Size() < 10_000 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
