package format

import (
	"bytes"
	"testing"
)

func TestCountTypes(t *testing.T) {
	for want, types := range map[string][]SlotType{
		"":              nil,
		"1 kek":         {SlotKEK},
		"2 hpke, 1 kek": {SlotHPKE, SlotKEK, SlotHPKE},
		"1 kek, 2 hpke": {SlotKEK, SlotHPKE, SlotHPKE},
		"3 passphrase":  {SlotPassphrase, SlotPassphrase, SlotPassphrase},
		"1 age, 1 hpke": {SlotAge, SlotHPKE},
		"1 hpke, 3 kek": {SlotHPKE, SlotKEK, SlotKEK, SlotKEK},
		"2 kek, 1 age":  {SlotKEK, SlotKEK, SlotAge},
	} {
		if got := CountTypes(types); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestOlder(t *testing.T) {
	slot := Slot{Type: SlotKEK, Body: bytes.Repeat([]byte{1}, KEKBodySize)}
	old := &Head{Generation: 1, Slots: []Slot{slot}}
	same := &Head{Generation: 2, Slots: []Slot{slot}}
	other := &Head{Generation: 3}
	for _, c := range []struct {
		h, counts *Head
		want      string
	}{
		{same, same, ""}, {same, old, ""}, {old, same, "of generation 1, not 2"},
		{old, other, "of generation 1, not 3; recipients that were removed still open the file by it: 1 kek"},
	} {
		if got := c.h.Older(c.counts); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestAboutHead(t *testing.T) {
	for c, want := range map[Clause]bool{HEAD1: true, HEAD13: true, CHUNK1: false, FILE1: false} {
		if c.AboutHead() != want {
			t.Errorf("%s: %v", c, !want)
		}
	}
}
