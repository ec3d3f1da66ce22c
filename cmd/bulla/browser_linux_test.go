package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A browser is a real one, without a window, that is told what to do over a pipe: by
// the DevTools protocol, messages in JSON with a NUL between them.
type browser struct {
	t       *testing.T
	to      *os.File
	session string // of the one page
	mu      sync.Mutex
	last    int
	answers map[int]chan json.RawMessage
	ended   map[string]string // downloads, by their state: "completed", "canceled"
}

// openBrowser starts chromium, which saves downloads in dir.
func openBrowser(t *testing.T, dir string) *browser {
	t.Helper()
	if missing(t, "chromium") {
		t.Skip("no chromium here")
	}
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, theirsToo, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "--window-size=1000,800")
	cmd.ExtraFiles = []*os.File{theirs, theirsToo} // descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	theirsToo.Close()
	b := &browser{t: t, to: to, answers: make(map[int]chan json.RawMessage), ended: make(map[string]string)}
	t.Cleanup(func() {
		b.call("Browser.close", nil, nil)
		cmd.Wait()
	})
	go b.listen(from)
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.call("Browser.setDownloadBehavior", map[string]any{"behavior": "allowAndName", "downloadPath": dir, "eventsEnabled": true}, nil)
	b.session = target.SessionID
	return b
}

func (b *browser) listen(from *os.File) {
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID     int
			Method string
			Result json.RawMessage
			Error  *struct{ Message string }
			Params struct{ GUID, State string }
		}
		json.Unmarshal(line[:len(line)-1], &m)
		b.mu.Lock()
		if m.Method == "Browser.downloadProgress" && m.Params.State != "inProgress" {
			b.ended[m.Params.GUID] = m.Params.State
		}
		if answer := b.answers[m.ID]; answer != nil {
			if m.Error != nil {
				m.Result = nil
			}
			answer <- m.Result
		}
		b.mu.Unlock()
	}
}

// call calls a method, and fails the test if that does.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.mu.Lock()
	b.last++
	id, answer := b.last, make(chan json.RawMessage, 1)
	b.answers[id] = answer
	b.mu.Unlock()
	if params == nil {
		params = map[string]any{}
	}
	m := map[string]any{"id": id, "method": method, "params": params}
	if b.session != "" && method[:8] != "Browser." {
		m["sessionId"] = b.session
	}
	text, _ := json.Marshal(m)
	b.to.Write(append(text, 0))
	select {
	case got := <-answer:
		if got == nil && method != "Runtime.evaluate" { // which a page that is left ends
			b.t.Fatalf("%s fails", method)
		}
		if result != nil {
			json.Unmarshal(got, result)
		}
	case <-time.After(5 * time.Minute):
		b.t.Fatalf("%s: no answer", method)
	}
}

// value is what an expression is in the page, as text.
func (b *browser) value(js string) string {
	b.t.Helper()
	var r struct {
		Result           struct{ Value string }
		ExceptionDetails *struct{ Text string }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": "String(" + js + ")", "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", js, r.ExceptionDetails.Text)
	}
	return r.Result.Value
}

// until waits for an expression to be true in the page.
func (b *browser) until(js string) {
	b.t.Helper()
	for range 6000 { // two minutes
		if b.value("document.readyState == 'complete' && "+js) == "true" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatalf("it never happens that %s; the page says: %.2000s", js, b.value("document.documentElement.innerText"))
}

// visit goes to an address, and waits for the page.
func (b *browser) visit(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.until("location.href == " + quoted(url))
}

// press presses keys, by their names; what is no name is typed.
func (b *browser) press(keys ...string) {
	b.t.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13}
	for _, k := range keys {
		code, named := codes[k]
		if !named {
			b.call("Input.insertText", map[string]any{"text": k}, nil)
			continue
		}
		text := map[string]string{"Enter": "\r"}[k]
		for _, kind := range []string{"keyDown", "keyUp"} {
			b.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": k, "code": k, "windowsVirtualKeyCode": code, "text": text}, nil)
		}
	}
}

// download waits until one more download has ended, and gives its state and content.
func (b *browser) download(dir string, start func()) (state, content string) {
	b.t.Helper()
	before := len(b.downloads())
	start()
	for range 6000 { // two minutes
		for guid, state := range b.downloads() {
			if len(b.downloads()) > before && b.taken(guid) {
				text, _ := os.ReadFile(filepath.Join(dir, guid))
				return state, string(text)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatal("no download ends")
	return "", ""
}

// taken marks a download, and reports whether it was not marked before.
func (b *browser) taken(guid string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended["taken "+guid] != "" || len(guid) > 6 && guid[:6] == "taken " {
		return false
	}
	b.ended["taken "+guid] = "taken"
	return true
}

func (b *browser) downloads() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make(map[string]string)
	for guid, state := range b.ended {
		all[guid] = state
	}
	return all
}

// screenshot keeps a picture of the page where $BULLA_SCREENSHOTS says.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", nil, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil || len(png) < 1000 {
		b.t.Errorf("%s: a picture of %d bytes, %v", name, len(png), err)
	}
	if dir := os.Getenv("BULLA_SCREENSHOTS"); dir != "" {
		os.MkdirAll(dir, 0o755)
		os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
