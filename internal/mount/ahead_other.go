//go:build darwin || freebsd

package mount

func readAhead(string) {}
