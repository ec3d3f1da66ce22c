package format

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// Any input that parses marshals to the same bytes; any other is refused with
// an error that says why and where.
func FuzzParseHead(f *testing.F) {
	for _, h := range []*Head{
		sampleHead(1, Slot{Type: unregistered}),
		sampleHead(1, sampleSlots()...),
		sampleHead(2, sampleSlots()...),
	} {
		f.Add(encode(f, h), true)
	}
	f.Add(encode(f, larger(sampleHead(1, sampleSlots()...), 2)), true)
	f.Add([]byte(Magic), false)
	f.Add([]byte("age-encryption.org/v1\n"), false)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, b []byte, repair bool) {
		// A CRC that fits by chance is too much to ask of a fuzzer.
		if n, err := copySize(b, true); repair && err == nil && len(b) >= n {
			b = repaired(b[:n:n], func([]byte) {})
		}
		h, err := ParseDetachedHead(b)
		if err != nil {
			var pe *ParseError
			if h != nil || !errors.As(err, &pe) || pe.Offset < 0 || pe.Offset > int64(len(b)) ||
				pe.Clause == "" || pe.Field == "" || pe.Kind == nil || pe.Reason == "" {
				t.Fatalf("%d bytes: %#v", len(b), err)
			}
			return
		}
		back, err := h.Append(nil)
		if err != nil || !bytes.Equal(back, b[:h.CopySize()]) {
			t.Fatalf("parsing and appending gave other bytes: %v", err)
		}
	})
}

// Check and what it rests on take anything. Its findings lie in the file.
func FuzzCheck(f *testing.F) {
	head := encode(f, sampleHead(1, Slot{Type: unregistered}))
	f.Add(container(head, 16, head))
	f.Add(container(head, 65552+20, head[:5]))
	f.Add(head)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		size := int64(len(b))
		r := Check(bytes.NewReader(b), size)
		for _, f := range r.Findings {
			if f.Offset < 0 || f.Offset > size || f.Length < 0 {
				t.Fatalf("%v in a file of %d bytes", f, size)
			}
		}
		if usable := r.Copies.Usable(); r.Valid() {
			if len(usable) != 2 || r.Layout.Size != size ||
				ContainerSize(r.Layout.PlainSize, r.Layout.HeadSize) != size {
				t.Fatalf("valid: %+v", r)
			}
		}
	})
}

// What parses of a slot's body is written in one way, and costs what a reader may pay; anything else
// is refused with a clause of that type.
func FuzzBody(f *testing.F) {
	for _, s := range sampleSlots() {
		f.Add(uint16(s.Type), s.Body)
		f.Add(uint16(s.Type), s.Body[:len(s.Body)/2])
	}
	f.Add(uint16(SlotAge), []byte(ageIntro+"-> X25519 x\n-> scrypt x 1\n--- "+strings.Repeat("m", 60)))
	f.Fuzz(func(t *testing.T, kind uint16, body []byte) {
		s := &Slot{Type: SlotType(kind), Body: body}
		if err := s.check(); err != nil {
			pe, ok := errors.AsType[*ParseError](err)
			if !ok || pe.Offset < 0 || pe.Offset > int64(len(body)) || pe.Reason == "" {
				t.Fatalf("%v, %d bytes: %v", s.Type, len(body), err)
			}
			if of, ok := SlotTypeOf(pe.Clause); !ok || of != s.Type {
				t.Fatalf("%v is refused by %s", s.Type, pe.Clause)
			}
			return
		}
		var again []byte
		switch s.Type {
		case SlotHPKE:
			b, _ := ParseHPKEBody(body)
			again = b.Append(nil)
		case SlotKEK:
			b, _ := ParseKEKBody(body)
			again = b.Append(nil)
		case SlotPassphrase:
			b, _ := ParsePassphraseBody(body)
			if again = b.Append(nil); b.KiB > MaxPassphraseKiB || b.Passes > MaxPassphrasePasses || b.Work() == 0 {
				t.Fatalf("%d KiB, %d passes", b.KiB, b.Passes)
			}
		default:
			again = body
		}
		if !bytes.Equal(again, body) {
			t.Fatalf("%v: %x became %x", s.Type, body, again)
		}
		s.Class()
	})
}
