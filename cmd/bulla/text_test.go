package main

import (
	"testing"
)

func TestDidYouMean(t *testing.T) {
	names := []string{"encrypt", "decrypt", "verify", "ls", "cat"}
	for word, want := range map[string]string{
		"encypt": "encrypt", "encrytp": "encrypt", "dcrypt": "decrypt", "verfiy": "verify", "lS": "ls",
		"enc": "encrypt", "ver": "verify", "c": "cat", "frobnicate": "", "": "", "xx": "", "letter": "",
	} {
		got := didYouMean(word, names)
		if want != "" {
			want = "did you mean " + want + "?"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestPlural(t *testing.T) {
	for want, got := range map[string]string{
		"1 key": plural(1, "key"), "2 keys": plural(2, "key"), "0 chunks": plural(0, "chunk"),
		"3 identities": plural(3, "identity"), "4 passes": plural(4, "pass"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPlainName(t *testing.T) {
	for path, want := range map[string]string{
		"/dev/stdin": "standard input", "/dev/stdout": "standard output", "dir/.x.partial": "dir/x", ".x.partial": "x",
		"dir/x": "dir/x", "dir/.x": "dir/.x", "x.partial": "x.partial",
	} {
		if got := plainName(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
