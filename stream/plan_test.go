package stream_test

import (
	"context"
	"errors"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// silent is a recipient that must not be asked for anything.
type silent struct {
	bodyOf
	t *testing.T
}

func (s silent) Wrap(context.Context, *entropy.Mixer, *format.Preamble, []byte) ([]byte, error) {
	s.t.Error("a recipient was asked while planning")
	return nil, errBroken
}

func (s silent) Class() format.Class {
	return (&format.Slot{Type: s.bodyOf.typ, Body: s.bodyOf.body}).Class()
}

// What can be found wrong with recipients is found before any of them is asked.
func TestPlan(t *testing.T) {
	of := func(typ format.SlotType, n int) stream.Recipient { return silent{bodyOf{typ, make([]byte, n)}, t} }
	hpke, kek := of(format.SlotHPKE, format.HPKEBodySize), of(format.SlotKEK, format.KEKBodySize)
	age := silent{bodyOf{format.SlotAge, []byte("age-encryption.org/v1\n-> X25519 abc\n")}, t}
	full := func(err error) bool { return errors.As(err, new(*stream.HeadFullError)) }
	mixed := func(err error) bool { return errors.Is(err, format.ErrMixedClasses) }
	good := func(err error) bool { return err == nil }

	var many []stream.Recipient
	for range format.MaxSlots {
		many = append(many, kek)
	}
	for name, c := range map[string]struct {
		to   []stream.Recipient
		opts stream.WriterOptions
		want func(error) bool
	}{
		"good":         {[]stream.Recipient{hpke, kek, keyslot.AnyPassphrase{}}, stream.WriterOptions{}, good},
		"none":         {nil, stream.WriterOptions{}, func(err error) bool { return err != nil }},
		"as many":      {many, stream.WriterOptions{}, good},
		"too many":     {append(many, keyslot.AnyPassphrase{}), stream.WriterOptions{}, full},
		"too large":    {[]stream.Recipient{of(0x7001, 1<<16-1), of(0x7001, 1<<16-1), of(0x7001, 1<<16-1), of(0x7001, 1<<16-1)}, stream.WriterOptions{}, full},
		"mixed":        {[]stream.Recipient{age, hpke}, stream.WriterOptions{}, mixed},
		"mixed, meant": {[]stream.Recipient{age, hpke}, stream.WriterOptions{AllowClassical: true}, good},
		"reserve":      {[]stream.Recipient{kek}, stream.WriterOptions{Reserve: -1}, func(err error) bool { return err != nil }},
	} {
		c.opts.Entropy = osMixer()
		if err := stream.Plan(c.to, &c.opts); !c.want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}

	a := newKEK(t)
	h, err := stream.EditDetachedHead(t.Context(), headFor(t, stream.WriterOptions{}, a), with(a))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for name, c := range map[string]struct {
		edit stream.Edit
		want func(error) bool
	}{
		"good":      {stream.Edit{Add: []stream.Recipient{hpke, keyslot.AnyPassphrase{}}}, good},
		"the last":  {stream.Edit{Remove: []stream.Named{a}}, func(err error) bool { return errors.Is(err, stream.ErrLastSlot) }},
		"full":      {stream.Edit{Add: []stream.Recipient{hpke, hpke, hpke, hpke}}, full},
		"mixed":     {stream.Edit{Add: []stream.Recipient{hpke, age}}, mixed},
		"not there": {stream.Edit{Remove: []stream.Named{newKEK(t)}}, func(err error) bool { return errors.As(err, new(*stream.RecipientNotFoundError)) }},
	} {
		if err := h.Plan(&c.edit); !c.want(err) {
			t.Errorf("edit, %s: %v", name, err)
		}
	}
}
