package format

// A Description is what a stranger can say of a container. Nothing of it is
// authenticated. Sizes and offsets are in bytes; head, payload and tail add up to
// the size.
type Description struct {
	Detached   bool              `json:"detached_head,omitempty"` // it is a head alone
	Size       int64             `json:"size"`
	Version    int               `json:"version"`
	Suite      string            `json:"suite"`
	Coding     string            `json:"coding"`
	Role       string            `json:"role"`
	Set        string            `json:"set_id,omitempty"` // in hexadecimal, of a part of a set
	Number     *uint32           `json:"number,omitempty"` // of a volume
	Pages      int               `json:"pages"`
	CopyPages  int               `json:"copy_pages"` // of the copy that counts: more than Pages if it is a larger detached head
	Generation uint32            `json:"generation"`
	Slots      []SlotDescription `json:"slots"`
	Room       int               `json:"room_for_hpke_slots"`
	Head       int64             `json:"head_bytes"`
	Payload    int64             `json:"payload_bytes"`
	Tail       int64             `json:"tail_bytes"`
	Chunks     int64             `json:"chunks"`       // 0 if the size fits no container
	Sealed     int64             `json:"sealed_bytes"` // what is in the chunks: the plaintext, or with coding 1 what it is compressed to

	// Plaintext is nil where it takes a key to know: if the payload is compressed,
	// or the size fits no container.
	Plaintext *int64    `json:"plaintext_bytes"`
	Findings  []Finding `json:"findings"`
}

// Describe says what a container is by the newest head that there is, a detached
// one (encoded, or nil) among them. It fails with a [*ParseError] if none is
// usable, and with r.Err if a copy could not be read.
func (r *Report) Describe(detached []byte) (*Description, error) {
	h, err := r.Newest(detached)
	if err != nil {
		return nil, err
	}
	n := int64(h.HeadSize())
	d := &Description{
		Detached: r.IsDetachedHead(), Size: r.Size, Version: Version, Suite: h.Suite.String(), Coding: h.Coding.String(),
		Role: h.Role.String(), Pages: h.Pages, CopyPages: h.CopySize() / PageSize, Generation: h.Generation, Room: h.Room(),
		Head: min(n, r.Size), Findings: append([]Finding{}, r.Findings...),
	}
	if h.Role.InSet() {
		d.Set = h.Set.String()
	}
	if h.Role == RoleVolume {
		d.Number = &h.Number
	}
	for i := range h.Slots {
		d.Slots = append(d.Slots, h.Slots[i].Describe())
	}
	layout, err := NewLayout(r.Size, n)
	switch {
	case d.Detached:
		d.Head, d.Findings = r.Size, []Finding{} // there is no more to it
	case err == nil:
		d.Chunks, d.Sealed = layout.Chunks, layout.PlainSize
		d.Payload, d.Tail = layout.TailOffset()-n, n
		if h.Coding == Plain {
			d.Plaintext = &d.Sealed
		}
	case r.Copies.Tail != nil && r.Size >= 2*n:
		d.Payload, d.Tail = r.Size-2*n, n
	default: // the tail is what would come last
		d.Payload = r.Size - d.Head
	}
	return d, nil
}

// Newest returns the head of the highest generation that there is, a detached
// one (encoded, or nil) among them. Its errors are those of [Report.Describe].
func (r *Report) Newest(detached []byte) (*Head, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	newest := r.alone
	if usable := r.Copies.Usable(); len(usable) > 0 {
		newest = usable[0].Head
	}
	if detached != nil {
		h, err := ParseDetachedHead(detached)
		if err != nil {
			return nil, err
		}
		if newest == nil || h.Generation > newest.Generation {
			newest = h
		}
	}
	if newest == nil {
		return nil, r.Copies.HeadErr
	}
	return newest, nil
}

// IsDetachedHead reports whether the file is no longer than the head that it
// begins with: a detached head, or a container that was cut off after its own.
func (r *Report) IsDetachedHead() bool { return r.alone != nil }

// Room is for how many further slots of type 1 a head has room.
func (h *Head) Room() int {
	return min(MaxSlots-len(h.Slots), (Room(h.CopySize()/PageSize)-h.SlotsSize())/(SlotHeaderSize+HPKEBodySize))
}
