package slot_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"strings"

	"bulla/entropy"
	"bulla/keyslot"
	"bulla/slot"
	"bulla/stream"
)

// Whose slots a container has shows to whoever can open it.
func Example() {
	ctx := context.Background()
	mine, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		log.Fatal(err)
	}
	theirs, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		log.Fatal(err)
	}
	to := []slot.Recipient{slot.RecipientOf(theirs), slot.RecipientOf(mine)}
	fmt.Println("a slot of", to[0].BodySize(), "bytes,", slot.ClassOf(to[0]))

	var container bytes.Buffer
	w, err := stream.NewWriter(ctx, &container, to, nil)
	if err != nil {
		log.Fatal(err)
	}
	w.ReadFrom(strings.NewReader("for two"))
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	h, err := stream.EditHead(ctx, bytes.NewReader(container.Bytes()), int64(container.Len()), []slot.Identity{mine}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	fmt.Println("theirs:", h.SlotsOf(to[0]), "mine:", h.SlotsOf(to[1]), "opened:", h.OpenedSlot())
	// Output:
	// a slot of 1168 bytes, post-quantum
	// theirs: [0] mine: [1] opened: 1
}
