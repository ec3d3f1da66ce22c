package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// serving starts bulla serve, and gives the address that it prints.
func serving(t *testing.T, dir string, args ...string) (address string, c *command) {
	t.Helper()
	cmd := exec.Command("bulla", append([]string{"serve"}, args...)...)
	c = &command{Cmd: cmd, t: t}
	cmd.Dir, cmd.Stderr = dir, &c.errs
	cmd.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	if _, err := fmt.Fscanln(out, &address); err != nil {
		cmd.Wait()
		t.Fatalf("no address: %s", c.errs.String())
	}
	return address, c
}

func get(t *testing.T, address string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		b = append(b, " ERROR "+err.Error()...)
	}
	return resp, string(b)
}

var rowLink = regexp.MustCompile(`<tr><td><a href="([^"]*)">([^<]*)</a>`)

// A real tree of 10,000 files is the same by way of the pages: every directory and every
// file that the links lead to.
func TestServeTree(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads 10,000 files")
	}
	t.Parallel()
	dir := workDir(t)
	tree := goTree(t)
	sealTree(t, dir, "x.bulla", tree)
	address, c := serving(t, dir, "x.bulla")
	base := strings.TrimSuffix(address, address[strings.Index(address[8:], "/")+8:])
	files := 0
	var crawl func(link, path string)
	crawl = func(link, path string) {
		_, text := get(t, base+link)
		entries, err := os.ReadDir(path)
		rows := rowLink.FindAllStringSubmatch(text, -1)
		if err != nil || len(rows) != len(entries) {
			t.Errorf("%s: %d rows, not %d: %v", path, len(rows), len(entries), err)
		}
		for i, row := range rows {
			name, is := strings.CutSuffix(html.UnescapeString(row[2]), "/")
			if i < len(entries) && name != entries[i].Name() {
				t.Errorf("%s has %q, not %q", path, name, entries[i].Name())
			}
			to := html.UnescapeString(row[1])
			if is {
				crawl(to, filepath.Join(path, name))
				continue
			}
			want, err := os.ReadFile(filepath.Join(path, name))
			if err != nil {
				continue // a link to nowhere
			}
			files++
			if resp, got := get(t, base+strings.Replace(to, "/tree/", "/data/", 1)); got != string(want) || resp.StatusCode != 200 {
				t.Errorf("%s/%s: %v, %d bytes, not %d", path, name, resp.Status, len(got), len(want))
			}
		}
	}
	_, text := get(t, address)
	m := regexp.MustCompile(`<a href="([^"]*)">Files`).FindStringSubmatch(text)
	crawl(m[1], tree)
	if files < 10_000 {
		t.Errorf("only %d files", files)
	}
	c.Process.Signal(syscall.SIGINT)
	if code := c.code(); code != exitInterrupted {
		t.Errorf("exit code %d: %s", code, c.errs.String())
	}
}

// hostile are names that mean something to somebody.
var hostile = []string{`<img src=x onerror=alert(1)>.txt`, `a"b'c&amp;.txt`, "escape\x1b[31m.txt", "%2e%2e.txt", "?q=1#x.txt", "not utf8 \xff.txt", "\u202egnp.txt", "a b+c.txt", "newline\n.txt", "back\\slash.txt"}

func picturesTar(t *testing.T) func(io.Writer) error {
	img := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for x := range 320 {
		for y := range 200 {
			img.Set(x, y, color.RGBA{uint8(x), uint8(y), 128, 255})
		}
	}
	var pic bytes.Buffer
	if err := png.Encode(&pic, img); err != nil {
		t.Fatal(err)
	}
	files := []string{
		"letters/readme.txt", "Dear reader <script>alert(1)</script> & all\n", "pictures/rainbow.png", pic.String(), "pictures/fake.png", "no picture\x00",
		"evil/page.html", "<script>document.title='owned'</script>", "evil/drawing.svg", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`,
		"large", strings.Repeat("large", 400_000),
	}
	for _, name := range hostile {
		files = append(files, "names/"+name, "this is "+name)
	}
	return tarOfFiles(files...)
}

// What the address and the name of the host do not fit is refused, and nothing of the
// archive is given as a page or a script.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	sealFile(t, dir, "x.bulla", picturesTar(t))
	address, _ := serving(t, dir, "x.bulla")
	u, err := url.Parse(address)
	if err != nil || u.Hostname() != "127.0.0.1" || len(u.Path) != 24 {
		t.Fatalf("the address is %s", address)
	}
	port := ":" + u.Port()
	for _, c := range []struct {
		address string
		header  []string
		status  int
	}{
		{address, nil, 200}, {address, []string{"Host", "localhost" + port}, 200},
		{address, []string{"Host", "evil.example" + port}, 403}, {address, []string{"Host", "evil.example"}, 403}, {address, []string{"Host", "127.0.0.1"}, 403},
		{address[:len(address)-2] + "/", nil, 403}, {"http://" + u.Host + "/", nil, 403}, {"http://" + u.Host + "//tree/large", nil, 403},
		{address + "data/none", nil, 404}, {address + "tree/../../etc", nil, 404}, {address + "tree//etc/passwd", nil, 404}, {address + "data//large", nil, 200}, {address + "data/%2e%2e/%2e%2e/etc/passwd", nil, 404}, {address + "nothing", nil, 404},
		{address + "data/letters", nil, 404}, {address + "data/large?range=5", nil, 400}, {address + "data/large?range=9999999-", nil, 400},
	} {
		resp, text := get(t, c.address, c.header...)
		if resp.StatusCode != c.status || strings.Contains(text, "root:") {
			t.Errorf("%s %q: %v", c.address, c.header, resp.Status)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script") || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
			resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", c.address, resp.Header)
		}
	}
	for path, kind := range map[string]string{"image/pictures/rainbow.png": "image/png", "data/pictures/rainbow.png": "application/octet-stream", "image/pictures/fake.png": "application/octet-stream",
		"image/evil/drawing.svg": "application/octet-stream", "image/evil/page.html": "application/octet-stream", "data/evil/page.html": "application/octet-stream"} {
		resp, _ := get(t, address+path)
		saved := strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment;")
		if resp.Header.Get("Content-Type") != kind || saved == (kind == "image/png") || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
	if resp, err := http.Post(address, "text/plain", nil); err != nil || resp.StatusCode != 405 {
		t.Errorf("POST: %v, %v", resp.Status, err)
	}
	// Ranges, as HTTP and as the page have them.
	if resp, got := get(t, address+"data/large", "Range", "bytes=5-14"); resp.StatusCode != 206 || got != "largelarge" {
		t.Errorf("%v: %q", resp.Status, got)
	}
	if resp, got := get(t, address+"data/large?range=-7"); resp.StatusCode != 200 || got != "gelarge" || !strings.Contains(resp.Header.Get("Content-Disposition"), "large.part") {
		t.Errorf("%v: %q", resp.Status, got)
	}
	// Another network address of this machine does not have it.
	if _, err := http.Get("http://127.0.0.2" + port + u.Path); err == nil {
		t.Error("it listens on other addresses")
	}
}

// The page in a real browser.
func TestServeBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	t.Parallel()
	dir := workDir(t)
	sealFile(t, dir, "x.bulla", picturesTar(t))
	sealed, err := os.ReadFile(filepath.Join(dir, "x.bulla"))
	if err != nil {
		t.Fatal(err)
	}
	sealed[len(sealed)/2] ^= 1 // in the large file
	write(t, filepath.Join(dir, "x.bulla"), string(sealed))
	address, c := serving(t, dir, "x.bulla")
	saved := t.TempDir()
	b := openBrowser(t, saved)
	text := func() string { return b.value("document.body.innerText") }
	follow := func(name string) {
		t.Helper()
		b.value("[...document.querySelectorAll('main a')].find(a => a.textContent == " + quoted(name) + ").click()")
		b.until("document.querySelector('h1').textContent == " + quoted(strings.TrimSuffix(name, "/")))
	}
	visible := func(what ...string) {
		t.Helper()
		for _, w := range what {
			if !strings.Contains(text(), w) {
				t.Errorf("the page does not say %q: %s", w, text())
			}
		}
	}

	// Looking around.
	b.visit(address)
	visible("All files", "letters/", "pictures/", "large", "1.9 MiB", "The container")
	b.screenshot("tree")
	follow("letters/")
	follow("readme.txt")
	visible("Dear reader <script>alert(1)</script> & all", "-rw-r--r--", "44 bytes")
	b.screenshot("text")
	if state, got := b.download(saved, func() { b.value("document.querySelector('a[download]').click()") }); state != "completed" || !strings.HasPrefix(got, "Dear reader <script>") {
		t.Errorf("download: %s, %q", state, got)
	}
	if state, got := b.download(saved, func() {
		b.value("document.querySelector('input[name=range]').value = '5-10'")
		b.value("document.querySelector('main form').submit()")
	}); state != "completed" || got != "reader" {
		t.Errorf("download of a range: %s, %q", state, got)
	}

	// A picture, and what is none.
	b.visit(address + "tree/pictures/rainbow.png")
	b.until("document.querySelector('main img').naturalWidth == 320")
	b.screenshot("picture")
	for _, other := range []string{"pictures/fake.png", "evil/page.html", "evil/drawing.svg"} {
		b.visit(address + "tree/" + other)
		if b.value("document.querySelectorAll('main img').length") != "0" || strings.Contains(b.value("document.title"), "owned") {
			t.Errorf("%s is shown as what it is not", other)
		}
	}

	// With the keyboard alone: search, and open what was found.
	b.visit(address)
	var seen []string
	for range 12 {
		b.press("Tab")
		seen = append(seen, b.value("document.activeElement.textContent + (document.activeElement.name || '')"))
		if seen[len(seen)-1] == "q" {
			break
		}
	}
	if got := strings.Join(seen, ", "); !strings.HasPrefix(got, "Skip to the content, Files, The container, q") {
		t.Errorf("Tab goes to %s", got)
	}
	b.press("READ", "Enter")
	b.until("document.querySelector('h1').textContent == 'Search'")
	visible("letters/readme.txt", "1 found")
	b.press("Tab", "Enter")
	b.until("document.activeElement.id == 'main' || location.hash == '#main'")
	b.press("Tab")
	if got := b.value("document.activeElement.textContent"); got != "letters/readme.txt" {
		t.Errorf("after the link that skips, Tab goes to %q", got)
	}
	b.screenshot("search")
	b.press("Enter")
	b.until("document.querySelector('h1').textContent == 'readme.txt'")

	// For a screen reader.
	b.visit(address + "tree/letters")
	var tree struct {
		Nodes []struct{ Role, Name struct{ Value any } }
	}
	b.call("Accessibility.getFullAXTree", nil, &tree)
	roles := map[string]bool{}
	for _, n := range tree.Nodes {
		roles[fmt.Sprint(n.Role.Value, " ", n.Name.Value)] = true
	}
	for _, want := range []string{"heading letters", "main ", "banner ", "navigation Path", "searchbox Search names", "button Search", "link readme.txt", "table 1 entries", "columnheader Size"} {
		if !roles[want] {
			t.Errorf("a screen reader finds no %q in %v", want, roles)
		}
	}

	// Names with markup, escapes and whatever: shown, harmless, and they lead where they should.
	b.visit(address + "tree/names")
	b.screenshot("names")
	if n := b.value("document.querySelectorAll('tbody tr').length"); n != fmt.Sprint(len(hostile)) || b.value("document.querySelectorAll('main img').length") != "0" {
		t.Errorf("%s names, or markup of one of them", n)
	}
	if strings.ContainsAny(text(), "\x1b\u202e") {
		t.Error("a name reaches the page with an escape")
	}
	var links []string
	json.Unmarshal([]byte(b.value("JSON.stringify([...document.querySelectorAll('tbody a')].map(a => a.href))")), &links)
	found := map[string]bool{}
	for _, l := range links {
		_, got := get(t, strings.Replace(l, "/tree/", "/data/", 1))
		found[strings.TrimPrefix(got, "this is ")] = true
		if page, _ := get(t, l); page.StatusCode != 200 {
			t.Errorf("%s: %v", l, page.Status)
		}
	}
	for _, name := range hostile {
		if !found[name] {
			t.Errorf("no link leads to %q", name)
		}
	}

	// What is damaged: said, not complete, and marked in the picture of the container.
	b.visit(address + "tree/large")
	visible("This is the beginning")
	if state, got := b.download(saved, func() { b.value("document.querySelector('a[download]').click()") }); state != "canceled" {
		t.Errorf("download of what is damaged: %s, %d bytes", state, len(got))
	}
	b.visit(address + "about")
	visible("Who may open it", "AES-256-GCM", "the one that opened it")
	for class, want := range map[string]string{"bulla-end": "2", "bulla-slot": "2", "bulla-mark": "1"} {
		if n := b.value("document.querySelectorAll('." + class + "').length"); n != want {
			t.Errorf("the picture has %s of %s, not %s", n, class, want)
		}
	}
	b.screenshot("container")
	light := b.value("getComputedStyle(document.documentElement).colorScheme + getComputedStyle(document.body).color")
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	if dark := b.value("getComputedStyle(document.documentElement).colorScheme + getComputedStyle(document.body).color"); dark == light {
		t.Errorf("light and dark are the same: %s", dark)
	}
	b.screenshot("container-dark")

	// Nothing was blocked that the page needs, and a wrong token opens nothing.
	if b.value("document.styleSheets.length") != "1" {
		t.Error("the page has no style")
	}
	b.visit(strings.TrimSuffix(address, "/") + "x/")
	visible("This address is not complete")
	c.Process.Signal(syscall.SIGTERM)
	if code := c.code(); code != exitSignal+int(syscall.SIGTERM) || strings.Count(c.errs.String(), "warning: large: ") != 1 {
		t.Errorf("exit code %d: %s", code, c.errs.String())
	}
}

// The page of a set has its volumes in the picture, and what was found damaged in the one
// where it is, as the report of a check has. With a grant page and mount give what that gives.
func TestServeSet(t *testing.T) {
	needFUSE(t)
	t.Parallel()
	dir := workDir(t)
	first := strings.Repeat("first", 1_000_000)
	os.Mkdir(filepath.Join(dir, "tree"), 0o755)
	write(t, filepath.Join(dir, "tree", "a"), first)
	write(t, filepath.Join(dir, "tree", "b"), strings.Repeat("second", 500_000))
	for _, line := range []string{
		"tar -C tree -c a b | bulla encrypt -q --volume-size 3M -o s.bulla -", "bulla keygen -q -o aud.txt", "bulla keygen -y aud.txt >aud.pub",
		"bulla grant -q --range 0- -R aud.pub s.bulla", "bulla grant -q --range 0+1M -R aud.pub -o part.grant s.bulla",
	} {
		c := exec.Command("sh", "-c", line)
		c.Dir, c.Env = dir, append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	granted := []string{"-i", "aud.txt", "-g", "s.bulla.grant", "s.bulla"}
	m := mounted(t, dir, granted...)
	for _, name := range []string{"a", "b"} {
		want, _ := os.ReadFile(filepath.Join(dir, "tree", name))
		if got, err := os.ReadFile(filepath.Join(dir, "m", name)); !bytes.Equal(got, want) || err != nil {
			t.Errorf("%s by way of a grant: %d bytes, %v", name, len(got), err)
		}
	}
	m.ends(dir, syscall.SIGTERM)
	address, _ := serving(t, dir, granted...)
	if _, got := get(t, address+"data/a"); got != first {
		t.Errorf("the page gives %d bytes by way of a grant", len(got))
	}
	if _, got := get(t, address+"about"); !strings.Contains(got, "8007680 bytes from 0 on") || strings.Contains(got, "Who may open it") {
		t.Errorf("of a grant: %s", got)
	}
	address, _ = serving(t, dir, "-i", "aud.txt", "-g", "part.grant", "s.bulla") // the first header, and a part of what follows it
	if _, got := get(t, address+"data/a"); len(got) > 1<<20+100 {
		t.Errorf("%d bytes are given of a grant of 1 MiB", len(got))
	}

	flip := func(name string, at int64) {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.WriteAt([]byte("damage"), at)
	}
	flip("s.bulla.000001", 1_000_000)
	flip("s.bulla.index", 200) // a copy of its head
	address, _ = serving(t, dir, "s.bulla")
	if _, got := get(t, address+"data/a"); got == first {
		t.Error("what is damaged is given")
	}
	_, got := get(t, address+"about")
	for _, want := range []string{"A set of 4 volumes", "<th scope=\"row\">Volumes<td>4", "class=\"bulla-slot\"", "index: ", "a: volume 000001: chunk 15 ("} {
		if !strings.Contains(got, want) {
			t.Errorf("the page of the set does not have %q: %s", want, got)
		}
	}
	if c := start(t, dir, nil, "verify", "--report", "check.html", "s.bulla"); c.code() != exitBad {
		t.Error(c.errs.String())
	}
	page, _ := os.ReadFile(filepath.Join(dir, "check.html"))
	for _, want := range []string{"A set of 4 volumes", "<rect class=\"bulla-mark\" x=\"940.0\"", "s.bulla.000001: 987"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report on the set does not have %q: %s", want, page[:min(len(page), 4000)])
		}
	}
}
