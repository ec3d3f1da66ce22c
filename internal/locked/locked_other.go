//go:build unix && !linux

package locked

func noDumps() {}
