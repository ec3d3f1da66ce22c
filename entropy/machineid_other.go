//go:build !linux && !darwin && !freebsd && !windows

package entropy

// machineID is empty where the system offers none that this program knows.
func machineID() string { return "" }
