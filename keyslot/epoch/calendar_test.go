package epoch

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"bulla/keyslot"
)

// resum gives lines their digest.
func resum(lines string) string {
	return fmt.Sprintf("%s%s%x\n", lines, "sha256 ", sha256.Sum256([]byte(lines)))
}

func TestParseCalendar(t *testing.T) {
	file, err := os.ReadFile(vectors + "/2027.calendar")
	if err != nil {
		t.Fatal(err)
	}
	cal, err := ParseCalendar(bytes.NewReader(file))
	if err != nil || !bytes.Equal(cal.Encode(), file) {
		t.Fatalf("it does not encode to itself (%v)", err)
	}
	if !IsCalendar(file) || len(cal.All()) != 12 {
		t.Errorf("%d keys", len(cal.All()))
	}
	// EPOCH-6: not one of its lines is a recipient.
	if to, err := keyslot.ParseRecipients(bytes.NewReader(file)); err == nil {
		t.Errorf("as a list of recipients it has %d", len(to))
	}
	for line := range strings.Lines(string(file)) {
		if _, err := keyslot.ParseRecipient(strings.TrimSpace(line)); err == nil || strings.HasPrefix(line, "#") {
			t.Errorf("a recipient, or a comment: %.40q", line)
		}
	}
	lines := strings.SplitAfter(string(file), "\n")
	lines = lines[:len(lines)-2] // without the digest
	body := strings.Join(lines, "")
	key := lines[2][len("2027-01-01 "):]
	for name, text := range map[string]string{
		"empty":            "",
		"cut":              string(file[:len(file)-1]),
		"no digest":        body,
		"digest of others": body + "sha256 " + strings.Repeat("0", 64) + "\n",
		"CRLF":             strings.ReplaceAll(string(file), "\n", "\r\n"),
		"more after it":    string(file) + "\n",
		"a later layout":   resum(strings.Replace(body, "calendar 1", "calendar 2", 1)),
		"another period":   resum(strings.Replace(body, "every month", "every fortnight", 1)),
		"weeks":            resum(strings.Replace(body, "every month", "every week", 1)),
		"no period":        resum(lines[0]),
		"no epochs":        resum(lines[0] + lines[1]),
		"a gap":            resum(strings.Join(lines[:5], "") + strings.Join(lines[6:], "")),
		"twice":            resum(strings.Join(lines[:5], "") + strings.Join(lines[4:], "")),
		"out of order":     resum(strings.Join(lines[:4], "") + lines[5] + lines[4]),
		"a comment":        resum(lines[0] + lines[1] + "# 2027\n" + strings.Join(lines[2:], "")),
		"a bare recipient": resum(body + key),
		"mid-month":        resum(lines[0] + lines[1] + "2027-01-02 " + key),
		"no such day":      resum(lines[0] + lines[1] + "2027-02-29 " + key),
		"before 1970":      resum(lines[0] + lines[1] + "1969-12-01 " + key),
		"another key":      resum(lines[0] + lines[1] + "2027-01-01 age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n"),
		"two spaces":       resum(lines[0] + lines[1] + "2027-01-01  " + key),
	} {
		if c, err := ParseCalendar(strings.NewReader(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	for i := range file {
		b := bytes.Clone(file)
		b[i] ^= 1
		if i%97 == 0 || i < 40 || i > len(file)-70 {
			if _, err := ParseCalendar(bytes.NewReader(b)); err == nil {
				t.Fatalf("byte %d changed: it is a calendar", i)
			}
		}
	}
	if _, err := ParseCalendar(iotest.ErrReader(errCut)); err != errCut {
		t.Error(err)
	}
	if _, err := ParseCalendar(strings.NewReader(calendarMagic + strings.Repeat(" ", maxCalendar))); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func TestConflict(t *testing.T) {
	a := calendarOf(t, newKeeper(t, Month, "2027"))
	b := calendarOf(t, newKeeper(t, Month, "2027-06..2028"))
	if at, bad := a.Conflict(b); !bad || at.String() != "2027-06-01 to 2027-06-30" {
		t.Errorf("%v, %v", at, bad)
	}
	if _, bad := a.Conflict(a); bad {
		t.Error("with itself")
	}
	if _, bad := a.Conflict(calendarOf(t, newKeeper(t, Month, "2028"))); bad {
		t.Error("without an epoch in common")
	}
	if _, bad := a.Conflict(calendarOf(t, newKeeper(t, Week, "2027"))); !bad {
		t.Error("weeks are no months")
	}
}
