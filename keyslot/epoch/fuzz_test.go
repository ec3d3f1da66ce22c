package epoch

import (
	"bytes"
	"os"
	"testing"
)

// What is parsed encodes to itself, and nothing panics.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"plain.keeper", "passphrase.keeper", "2027.calendar"} {
		b, err := os.ReadFile(vectors + "/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCalendar(bytes.NewReader(b)); err == nil && !bytes.Equal(c.Encode(), b) {
			t.Error("another calendar")
		}
		if k, err := Parse(b); err == nil {
			if !bytes.Equal(k.page(k.state()), b[pageOffset(k.at):][:pageSize]) || !bytes.Equal(encode(pageSize, k.h, nil), b[:pageSize]) {
				t.Error("another keeper")
			}
			k.Identity(nil)
			k.Due(k.LastRun()+1, 1)
		}
	})
}

// A date is written in one way, a period begins before it ends, and each day of it is in an
// epoch of each kind that begins no later.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"2027", "2027-03", "2027-03-15", "2027..2029-06", "1970-01-01", "9999-12-31", "9999", "2024-02-29", "2023-02-29", "0001", "2027-03-15..2027-03-14", ".."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDate(s); err == nil && d.String() != s {
			t.Fatalf("%q is %v", s, d)
		}
		first, last, err := ParsePeriod(s)
		if err != nil {
			return
		}
		if first < 0 || last < first {
			t.Fatalf("%q is %v to %v", s, first, last)
		}
		for e := Day; e <= Quarter; e++ {
			if e.Number(first) > e.Number(last) || e.Number(first) < 0 {
				t.Fatalf("%q: %v %d to %d", s, e, e.Number(first), e.Number(last))
			}
		}
	})
}
