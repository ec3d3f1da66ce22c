package storage

import (
	"net/url"
	"strings"
	"testing"
)

// What is shown of a name that is a URL has no user, no query and no fragment; other names are shown
// as they are. To show it again changes nothing.
func FuzzShown(f *testing.F) {
	for _, s := range []string{"a.bulla", "./s3:", "s3://b/k?x", "https://u:p@h/x?y#z", "https://h", "https://u@", "https://a@b@c/d@e", "HTTPS://u:p@h", "https://[::1]/x", "https://?", "https://h?a/b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		shown := Shown(name)
		if Scheme(name) != "https" {
			if shown != name {
				t.Fatalf("%q is shown as %q", name, shown)
			}
			return
		}
		if Scheme(shown) != "https" || Shown(shown) != shown {
			t.Fatalf("%q is shown as %q, and that as %q", name, shown, Shown(shown))
		}
		u, err := url.Parse(name)
		if err != nil {
			return
		}
		s, err := url.Parse(shown)
		if err != nil {
			t.Fatalf("%q is shown as %q: %v", name, shown, err)
		}
		if s.Host != u.Host || s.User != nil && s.User.String() != "..." || s.RawQuery != "" && s.RawQuery != "..." || s.Fragment != "" && s.Fragment != "..." ||
			!strings.HasPrefix(s.Path, u.Path) {
			t.Fatalf("%q is shown as %q", name, shown)
		}
	})
}
