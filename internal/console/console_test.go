package console

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// A recorder is a console whose output can be looked at.
func recorder(t *testing.T) (*Console, func() string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &Console{w: f}, func() string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB",
		1 << 30: "1.0 GiB", 5 << 40: "5.0 TiB", 1 << 62: "4.0 EiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestWait(t *testing.T) {
	for s, want := range map[float64]string{0: "0s", 7.4: "7s", 200: "3m20s", 3720: "1h2m", 7200: "2h0m", 1e12: "days"} {
		if got := wait(s); got != want {
			t.Errorf("%v s: %q, want %q", s, got, want)
		}
	}
}

func TestConsole(t *testing.T) {
	c, text := recorder(t)
	c.Status("12345", false)
	c.Status("123", false)
	c.Line("a line")
	c.Line("another")
	c.Status("x", false)
	c.Status("xy", true)
	c.End()
	c.Status("z", false)
	c.End()
	want := "\r12345" + "\r123  " + "\r   \ra line\n" + "another\n" + "\rx" + "\rxy\n" + "\rz\n"
	if got := text(); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestProgressLine(t *testing.T) {
	p := &Progress{Work: Work{Name: "x"}}
	for _, c := range []struct {
		total, done int64
		rate        float64
		want        string
	}{
		{4 << 20, 1 << 20, 1 << 20, "x  25%  1.0 MiB of 4.0 MiB  1.0 MiB/s  3s left"},
		{4 << 20, 1 << 20, 0, "x  25%  1.0 MiB of 4.0 MiB  0 bytes/s  stalled"},
		{4 << 20, 5 << 20, 1 << 20, "x  99%  5.0 MiB of 4.0 MiB  1.0 MiB/s  0s left"},
		{-1, 1 << 20, 1 << 20, "x  1.0 MiB  1.0 MiB/s"},
		{0, 1 << 20, 1 << 20, "x  1.0 MiB  1.0 MiB/s"},
	} {
		p.Total = c.total
		if got := p.line(usualColumns, c.done, c.rate); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestProgressRate(t *testing.T) {
	p := &Progress{}
	for i := range int64(100) {
		got := p.rate((i + 1) * 200) // 200 bytes in a fifth of a second
		if got < 999 || got > 1001 {
			t.Fatalf("step %d: %v", i, got)
		}
	}
	for range rateWindow {
		p.rate(100 * 200)
	}
	if got := p.rate(100 * 200); got != 0 {
		t.Errorf("after nothing for the whole window: %v", got)
	}
}

func TestProgressLast(t *testing.T) {
	c, text := recorder(t)
	done := new(atomic.Int64)
	for _, fails := range []error{nil, io.EOF} {
		p := c.Progress(Work{Name: "x", Total: 10, Done: done, Log: true, Final: true})
		done.Store(10)
		p.Finish(fails)
	}
	if got := text(); strings.Count(got, "x  10 bytes  ") != 1 || !strings.HasSuffix(got, "\n") {
		t.Errorf("%q", got)
	}
	var none *Progress
	none.Finish(nil)
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s       string
		columns int
		want    string
	}{{"abcdef", 6, "abcdef"}, {"abcdef", 5, "ab…ef"}, {"äöüß", 3, "ä…ß"}, {"äöü", 2, "ä…"}} {
		if got := cut(c.s, c.columns); got != c.want {
			t.Errorf("%q in %d: %q", c.s, c.columns, got)
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "010": 10, "1K": 1024, "1k": 1024, "1KiB": 1024, "1kib": 1024, "3M": 3 << 20, "3MiB": 3 << 20,
		"2G": 2 << 30, "2T": 2 << 40, "2P": 2 << 50, "7E": 7 << 60, "9223372036854775807": math.MaxInt64,
		"8191P": 8191 << 50, "0E": 0, "32": 32, "100K": 100 << 10, "8589934591G": 8589934591 << 30,
	} {
		if got, ok := ParseSize(s); got != want || !ok {
			t.Errorf("%s is %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "K", "iB", "1iB", "1B", "1KB", "1Ki", "1 K", " 1", "1K ", "+1", "-1", "1.5K", "1e3", "0x10", "1_000", "1Z",
		"8E", "8192P", "8589934592G", "1k B", "9223372036854775808", "99999999999999999999", "1KK", "١"} {
		if got, ok := ParseSize(s); ok {
			t.Errorf("%q is %d", s, got)
		}
	}
}

// TestProgressNarrow has the name and the percentage on every terminal.
func TestProgressNarrow(t *testing.T) {
	for _, c := range []struct {
		columns int
		name    string
		want    string
	}{
		{80, "backup.tar", "backup.tar  25%  1.0 GiB of 4.0 GiB  12.0 MiB/s  4m16s left"},
		{80, "a/very/long/path/to/a/backup.tar", "a/very/long/path/to/a/backup.tar  25%  12.0 MiB/s  4m16s left"},
		{40, "backup.tar", "backup.tar  25%  12.0 MiB/s  4m16s left"},
		{40, "another-backup.tar", "another-backup.tar  25%  4m16s left"},
		{40, "a/very/long/path/to/a/backup.tar", "a/very/long/path/to/a/backup.tar  25%"},
		{40, "an/even/longer/path/to/another/backup.tar", "an/even/longer/pa…nother/backup.tar  25%"},
		{20, "backup.tar", "backup.tar  25%"},
		{20, "a/very/long/path/to/a/backup.tar", "a/very/…kup.tar  25%"},
		{10, "backup.tar", "ba…ar  25%"},
		{4, "backup.tar", "25%"},
		{1, "backup.tar", "2"},
	} {
		p := &Progress{Work: Work{Name: c.name, Total: 4 << 30}}
		for _, columns := range []int{c.columns - 1, c.columns} {
			got := p.line(columns, 1<<30, 12<<20)
			if width(got) > columns {
				t.Errorf("%d columns: %q has %d", columns, got, width(got))
			}
			if columns >= 19 && (!strings.HasPrefix(got, c.name[:4]) || !strings.Contains(got, "25%")) {
				t.Errorf("%d columns: %q", columns, got)
			}
			if columns == c.columns && got != c.want {
				t.Errorf("%d columns: %q, want %q", columns, got, c.want)
			}
		}
	}
}
