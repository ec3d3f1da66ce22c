//go:build !linux

package storage

import "os"

// syncsAll says that no one call makes all durable that was written.
const syncsAll = false

// syncOf is for systems that have such a call.
func syncOf(*os.File, map[uint64]bool) error { return nil }

// dropCache has nothing it could tell this system.
func dropCache(*os.File) {}

// Absent reports whether f is a standard stream that the caller closed, which
// cannot be told here.
func Absent(*os.File) bool { return false }
