package entropy_test

import (
	"fmt"
	"log"

	"bulla/entropy"
)

// A mixer draws on the operating system and on what the machine has besides.
// Whoever must have a source names it in Require, and is given nothing without it.
func Example() {
	m, err := entropy.New(&entropy.Options{Sources: []string{"os"}})
	if err != nil {
		log.Fatal(err)
	}
	seed := make([]byte, 32)
	if err := m.Fill("example", seed); err != nil {
		log.Fatal(err)
	}
	for _, s := range m.Status() {
		if s.Name == "os" {
			fmt.Println(s.Name, "is in every draw")
		}
	}
	// Output: os is in every draw
}
