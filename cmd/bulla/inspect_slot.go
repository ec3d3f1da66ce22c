package main

import (
	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/safetext"
)

const extractSlotFlag = "extract-slot"

// extractedSlot is what inspect --extract-slot --json says.
type extractedSlot struct {
	safetext.FileField
	safetext.OutputField
	Number int `json:"number"`
	format.SlotDescription
}

// extractSlot writes the body of a slot.
func (a *app) extractSlot(i *inspectFlags, in *input, h *format.Head) error {
	if i.slot < 1 || i.slot > len(h.Slots) {
		return usage("bulla inspect shows the slots with their numbers", "there is no slot %d in %s: it has %d", i.slot, in.name, len(h.Slots))
	}
	s := &h.Slots[i.slot-1]
	out, err := a.planOutput(outputPlan{outputFlags: i.outputFlags, mode: 0o666, binary: true})
	if err != nil {
		return err
	}
	if err := a.writeWhole(out, s.Body); err != nil {
		return err
	}
	a.note("%s: slot %d (%v), %s, is in %s", in.name, i.slot, s.Type, console.Bytes(int64(len(s.Body))), out.name)
	return a.result(out, extractedSlot{in.given.AsFile(), out.given.AsOutput(), i.slot, s.Describe()})
}
