package storage

import "testing"

// What a URL is shown as has no password, no query and no fragment.
func TestShown(t *testing.T) {
	for name, want := range map[string]string{
		"https://host/a/b.bulla":             "https://host/a/b.bulla",
		"https://u:secret@host/a?sig=secret": "https://...@host/a?...",
		"https://u:se@cret@host":             "https://...@host",
		"https://host?token=secret/x@y":      "https://host?...",
		"https://host/x#secret":              "https://host/x#...",
		"https://host/mail@home":             "https://host/mail@home",
		"s3://bucket/a?b#c@d":                "s3://bucket/a?b#c@d", // a key is literal
		"HTTPS://u:p@host/":                  "HTTPS://u:p@host/",   // a path
		"./https://x?y":                      "./https://x?y",
	} {
		if got := Shown(name); got != want {
			t.Errorf("%s is shown as %s, want %s", name, got, want)
		}
	}
}
