//go:build purego || !amd64

package entropy

func probeRDRAND() (Source, error) { return otherProcessor() }

func probeRDSEED() (Source, error) { return otherProcessor() }
