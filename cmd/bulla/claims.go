package main

import (
	"fmt"

	"bulla/internal/storage"
)

// Claims are what the descriptors that the caller passed on are taken for.
// What has been read from one is gone, so each serves one use.
type claims map[int]string

// claim takes what a name stands for, if that is standard input or another
// descriptor. What counts is what it is, whatever the name says.
func (a *app) claim(name, what string) error {
	if n, ok := a.files.Descriptor(name); ok {
		return a.claimDescriptor(n, what)
	}
	return nil
}

// claimInput claims the inputs of these names, before keys and passphrases can
// be read from the same place.
func (a *app) claimInput(names ...string) error {
	for _, name := range names {
		if err := a.claim(orElse(name, "-"), "the data"); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) claimDescriptor(n int, what string) error {
	name := "standard input"
	if n > 0 {
		name = fmt.Sprint("file descriptor ", n)
	}
	switch before := a.claimed[n]; before {
	case "":
	case what:
		return usage("name a file instead of one of them", "%s is named twice for %s", name, what)
	default:
		return usage("name a file for one of them", "%s cannot be both %s and %s", name, before, what)
	}
	if a.claimed == nil {
		a.claimed = make(claims)
	}
	a.claimed[n] = what
	return nil
}

// openFor claims what a name stands for, and opens it.
func (a *app) openFor(name, what string) (*storage.Blob, error) {
	if err := a.claim(name, what); err != nil {
		return nil, err
	}
	return a.files.Open(name)
}
