//go:build purego || !arm64 || !(linux || freebsd)

package entropy

func probeRNDR() (Source, error) { return otherProcessor() }
