//go:build unix && !linux

package main

// renameNew renames a file unless there is one of the new name.
func renameNew(from, to string) error { return linkOver(from, to) }
