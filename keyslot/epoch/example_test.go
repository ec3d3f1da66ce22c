package epoch_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"bulla/entropy"
	"bulla/keyslot/epoch"
	"bulla/slot"
	"bulla/stream"
)

// A file is encrypted to the key of its month, and can be opened until that is ended.
func Example() {
	ctx := context.Background()
	first, last, err := epoch.ParsePeriod("2027")
	if err != nil {
		log.Fatal(err)
	}
	span, err := epoch.SpanOf(epoch.Month, first, last)
	if err != nil {
		log.Fatal(err)
	}
	keeper, err := epoch.New(ctx, entropy.Default(), span, first, epoch.Plain, nil)
	if err != nil {
		log.Fatal(err)
	}
	calendar, err := keeper.Calendar()
	if err != nil {
		log.Fatal(err)
	}
	file := keeper.Encode() // and write it, for its owner alone, beside calendar.Encode()

	to, err := calendar.At(time.Date(2027, 2, 14, 12, 0, 0, 0, time.UTC))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("encrypted to", to.Epoch)
	var container bytes.Buffer
	w, err := stream.NewWriter(ctx, &container, []slot.Recipient{to}, nil)
	if err != nil {
		log.Fatal(err)
	}
	w.ReadFrom(strings.NewReader("for some months"))
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	for _, date := range []string{"2027-02-01", "2027-03-01"} {
		keeper, err := epoch.Parse(file)
		if err != nil {
			log.Fatal(err)
		}
		if err := keeper.Unlock(ctx, nil); err != nil {
			log.Fatal(err)
		}
		end, err := epoch.ParseDate(date)
		if err != nil {
			log.Fatal(err)
		}
		write := func(off int64, p []byte) error { // and make it durable
			copy(file[off:], p)
			return nil
		}
		if err := keeper.Advance(ctx, epoch.Month.Number(end), end, write); err != nil {
			log.Fatal(err)
		}
		_, err = stream.NewReader(ctx, bytes.NewReader(container.Bytes()), []slot.Identity{keeper.Identity(nil)}, nil)
		fmt.Println(keeper.Reach(), "opens it:", err == nil)
	}
	// Output:
	// encrypted to 2027-02-01 to 2027-02-28
	// 2027-02-01 to 2027-12-31 opens it: true
	// 2027-03-01 to 2027-12-31 opens it: false
}
