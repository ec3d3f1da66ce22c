// A program outside the module: with nothing but its public packages it shows what
// bulla inspect, verify and recipients list show. Usage: outside CONTAINER IDENTITIES
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"bulla/format"
	"bulla/keyslot/keyfile"
	"bulla/slot"
	"bulla/stream"
)

func main() {
	ctx := context.Background()
	f, err := os.Open(os.Args[1])
	check(err)
	st, err := f.Stat()
	check(err)
	keys, err := os.Open(os.Args[2])
	check(err)
	ids, err := keyfile.ParseIdentities(os.Args[2], keys, nil)
	check(err)

	d, err := format.Check(f, st.Size()).Describe(nil) // inspect
	check(err)
	fmt.Printf("%s, %s, generation %d, %d chunks, room for %d\n", d.Suite, d.Coding, d.Generation, d.Chunks, d.Room)

	rep, err := stream.Verify(ctx, f, st.Size(), ids, nil) // verify
	check(err)
	fmt.Println("valid:", rep.Keyed && rep.Valid(), rep.Findings, rep.Outcomes()[0])

	h, err := stream.EditHead(ctx, f, st.Size(), ids, nil) // recipients list
	check(err)
	defer h.Close()
	mine := h.SlotsOf(slot.RecipientOf(ids[0]))
	for i, s := range d.Slots {
		fmt.Println(i+1, s.Type, s.Text, "mine:", len(mine) > 0 && i == mine[0], "opened:", i == h.OpenedSlot())
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
