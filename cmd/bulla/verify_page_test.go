//go:build unix

package main

import (
	"bytes"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var tags = regexp.MustCompile(`(\s*<[^>]*>\s*)+`)

// textOf is the text of a page, with tabs between its pieces.
func textOf(page string) string { return html.UnescapeString(tags.ReplaceAllString(page, "\t")) }

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

	// What it says of signatures.
	allowed := "alice <b> " + sshKey(t, filepath.Join(dir, "key"))
	allowed = strings.Replace(allowed, "alice <b>", `"alice <b>"`, 1)
	for name, text := range map[string]string{"allowed": allowed, "nobody": "", "small": strings.Repeat("bulla", 1<<20)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"-o", "c", "small"}, {"-o", "u", "small"}, {"--volume-size", "3M", "-o", "s", "small"}} {
		if args[1] != "u" {
			args = append(args, "--sign", "key")
		}
		if c := start(t, dir, nil, append([]string{"encrypt"}, args...)...); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
	}
	pages := make(map[string]string)
	check := func(page string, code int, args ...string) {
		t.Helper()
		if c := start(t, dir, nil, append([]string{"verify", "--report", page}, args...)...); c.code() != code {
			t.Errorf("%q: exit code %d: %s", args, c.code(), c.errs.String())
		}
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil {
			t.Error(err)
		}
		pages[page] = string(text)
	}
	check("signed.html", 0, "--signed-by", "allowed", "c", "s")
	check("refused.html", exitBad, "--signed-by", "nobody", "c", "s", "u")
	check("unasked.html", 0, "c", "s", "u")
	flip := func(name string, at int64) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte("damage"), at)
		f.Close()
	}
	flip("c", 4_000_000)
	flip("s.000001", 1_000_000)
	check("damaged.html", exitBad, "--signed-by", "allowed", "c", "s")

	signatures := map[string][]string{
		"signed.html": {"Good: alice <b> signed the content", "In c.sig, namespace bulla: key SHA256:", "In s.sig, namespace bulla: key SHA256:", "by the signer's clock",
			"ORIGIN-8\tpassed", "ORIGIN-10\tnot applicable", "ORIGIN-10\tpassed"},
		"refused.html": {"NOT SIGNED as it was asked for: the key that signed, SHA256:", "FAILED [ORIGIN-5]: the key that signed, SHA256:", "In c.sig, namespace bulla: key SHA256:",
			"What to do: find out whose key it is", "FAILED: u is not signed: there is no u.sig", "ORIGIN-5\tfailed"},
		"unasked.html": {"NOT checked: there is one, and --signed-by was not given", "In c.sig,", "In s.sig,", "None that can be read is beside it", "Valid: all of it"},
		"damaged.html": {"FAILED [ORIGIN-8]: segment 0, at 4096, is not the one that was signed\t", "FAILED [ORIGIN-8]: volume 000001: segment 0, at 4096,"},
	}
	for page, wanted := range signatures {
		text := textOf(pages[page])
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not show %q", page, want)
			}
		}
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
	dom = textOf(browse("--dump-dom", "file://"+filepath.Join(dir, "refused.html")))
	for _, want := range signatures["refused.html"] {
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
