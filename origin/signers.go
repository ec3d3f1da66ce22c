package origin

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Signer is who has signed.
type Signer struct {
	Principal   string // as the list of allowed signers names it
	Fingerprint string // SHA256:…, as ssh-keygen -l prints it
}

// Allowed are the keys whose signatures count: a file of allowed signers, as
// ssh-keygen(1) describes it under ALLOWED SIGNERS.
type Allowed struct{ entries []entry }

type entry struct {
	principals    string // a list with commas, of which none is a pattern for us to match
	key           ssh.PublicKey
	namespaces    string // a list of patterns
	after, before time.Time
}

// ParseAllowed parses a file of allowed signers. The options namespaces, valid-after
// and valid-before count; a line with another one, cert-authority included, is an error
// that names it: what it restricts must not be passed over.
func ParseAllowed(text []byte) (*Allowed, error) {
	a := new(Allowed)
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		e, err := parseEntry(string(line))
		if err != nil {
			return nil, fmt.Errorf("origin: allowed signers, line %d: %w", i+1, err)
		}
		a.entries = append(a.entries, e)
	}
	return a, nil
}

func parseEntry(line string) (e entry, err error) {
	var rest string
	if strings.HasPrefix(line, `"`) {
		e.principals, rest, _ = strings.Cut(line[1:], `"`)
	} else if i := strings.IndexAny(line, " \t"); i > 0 {
		e.principals, rest = line[:i], line[i:]
	}
	if !slices.ContainsFunc(strings.Split(e.principals, ","), func(p string) bool { return p != "" && p[0] != '!' }) {
		return e, fmt.Errorf("it allows nobody")
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimSpace(rest)))
	if err != nil {
		return e, fmt.Errorf("no public key")
	}
	e.key, e.namespaces = key, "*"
	seen := make(map[string]bool)
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		name = strings.ToLower(name)
		if seen[name] { // which of them restricts?
			return e, fmt.Errorf("the option %q is there twice", name)
		}
		seen[name] = true
		inner, begins := strings.CutPrefix(value, `"`)
		value, ends := strings.CutSuffix(inner, `"`)
		switch name {
		case "namespaces":
			e.namespaces = value
		case "valid-after":
			e.after, err = parseTime(value)
		case "valid-before":
			e.before, err = parseTime(value)
		default:
			return e, fmt.Errorf("the option %q is not supported", name)
		}
		if !begins || !ends {
			return e, fmt.Errorf("the value of the option %q does not stand in quotation marks", name)
		}
		if err != nil {
			return e, err
		}
	}
	return e, nil
}

// parseTime parses a time after 1970 as ssh-keygen does: YYYYMMDD[HHMM[SS]], in UTC with a Z or
// UTC after it, else in the system's zone.
func parseTime(s string) (time.Time, error) {
	upper, zone := strings.ToUpper(s), time.UTC
	digits, ok := strings.CutSuffix(upper, "UTC")
	if !ok {
		digits, ok = strings.CutSuffix(upper, "Z")
	}
	if !ok {
		zone = time.Local
	}
	layouts := map[int]string{8: "20060102", 12: "200601021504", 14: "20060102150405"}
	t, err := time.ParseInLocation(layouts[len(digits)], digits, zone)
	if err != nil || t.Unix() <= 0 {
		return t, fmt.Errorf("%q is no time", s)
	}
	return t, nil
}

// find returns the first entry for the key that counts at that time (ORIGIN-5).
func (a *Allowed) find(key ssh.PublicKey, at time.Time) (*Signer, error) {
	print := ssh.FingerprintSHA256(key)
	why := "is not among the allowed signers"
	for _, e := range a.entries {
		if !bytes.Equal(e.key.Marshal(), key.Marshal()) {
			continue
		}
		switch {
		case !matches(e.namespaces, Namespace):
			why = "is not allowed to sign containers (namespaces)"
		case !e.after.IsZero() && at.Before(e.after):
			why = "is not valid yet"
		case !e.before.IsZero() && !at.Before(e.before):
			why = "is no longer valid"
		default:
			return &Signer{Principal: e.principals, Fingerprint: print}, nil
		}
	}
	return nil, forged(ORIGIN5, "the key that signed, %s, %s", print, why)
}

// matches reports whether a list of patterns matches name: as in ssh_config(5), with *, ?
// and a ! before what is excluded. Nothing else has a meaning, spaces included.
func matches(patterns, name string) bool {
	found := false
	for p := range strings.SplitSeq(patterns, ",") {
		p, not := strings.CutPrefix(p, "!")
		if ok, err := path.Match(literal.Replace(p), name); !ok || err != nil {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

// literal escapes what has a meaning to path.Match and none to OpenSSH.
var literal = strings.NewReplacer(`\`, `\\`, `[`, `\[`)
