//go:build !linux

package storage

import "os"

// dropCache has nothing it could tell this system.
func dropCache(*os.File) {}

// Absent reports whether f is a standard stream that the caller closed, which
// cannot be told here.
func Absent(*os.File) bool { return false }
