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
