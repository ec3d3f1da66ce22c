package safetext

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"a b": "a b", "größe": "größe", "": `""`, "a\x1b[2J": `"a\x1b[2J"`, "a\nb": `"a\nb"`, "\xff": `"\xff"`,
	} {
		if got := Printable(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

// TestName has names of every kind come back from JSON as they were given.
func TestName(t *testing.T) {
	for _, name := range []string{"a b", "nb\u00a0sp", "a\nb", `"quoted"`, "\x1b[2J", "größe", "\U000e0001", "\xff\xfe", "a\xffb"} {
		text := encode(t, struct {
			InputField
			OutputField
			FileField
		}{Name(name).AsInput(), Name(name).AsOutput(), Name(name).AsFile()})
		if Printable(text) != text {
			t.Errorf("%q: a terminal would act on %q", name, text)
		}
		var got struct {
			Input     string `json:"input"`
			InputRaw  []byte `json:"input_base64"`
			Output    string `json:"output"`
			OutputRaw []byte `json:"output_base64"`
			File      string `json:"file"`
			FileRaw   []byte `json:"file_base64"`
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if !utf8.ValidString(name) {
			got.Input, got.Output, got.File = string(got.InputRaw), string(got.OutputRaw), string(got.FileRaw)
		} else if strings.Contains(text, "base64") {
			t.Errorf("%q: %s", name, text)
		}
		if got.Input != name || got.Output != name || got.File != name {
			t.Errorf("%q became %s", name, text)
		}
	}
	if got := fmt.Sprint(Name("a\nb")); got != `"a\nb"` {
		t.Errorf("people see %s", got)
	}
}

func TestOneLine(t *testing.T) {
	for s, want := range map[string]string{
		"": "", " touch\nthe key\t ": "touch the key", "a\x1b[2Jb": "a\ufffd[2Jb", "c\u009bd": "c\ufffdd", "größe": "größe", "\xff": "\ufffd",
	} {
		if got := OneLine(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestShell has a shell read what is to be pasted into it.
func TestShell(t *testing.T) {
	for name, want := range map[string]string{
		"backup.tar.bulla": "backup.tar.bulla",
		"s3://b/k":         "s3://b/k",
		"":                 "''",
		"-":                "-",
		"-rf":              "./-rf",
		"two words":        "'two words'",
		"it's":             `'it'\''s'`,
		"$HOME":            "'$HOME'",
		"~":                "'~'",
		"a\nb":             `$'a\012b'`,
		"it's\t":           `$'it\'s\011'`,
		"back\\slash\x1b":  `$'back\\slash\033'`,
		"\xff":             `$'\377'`,
		"é":                "é",
		"\u202ex":          `$'\342\200\256x'`,
		"*":                "'*'", "a;b": "'a;b'", "#": "'#'", "{a,b}": "'{a,b}'", "!x": "'!x'",
	} {
		got := Shell(name)
		if got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
		bash, err := exec.LookPath("bash")
		if err != nil {
			continue
		}
		out, err := exec.Command(bash, "-c", "printf %s "+got).Output()
		if pasted := strings.TrimPrefix(string(out), "./"); err != nil || pasted != name {
			t.Errorf("%q: pasted as %s the shell takes it for %q, %v", name, got, pasted, err)
		}
	}
}
