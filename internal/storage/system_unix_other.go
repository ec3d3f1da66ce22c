//go:build unix && !linux

package storage

// renameNew renames a file unless there is one of the new name.
func renameNew(at place, from, to string) error { return renameOver(at, from, to) }
