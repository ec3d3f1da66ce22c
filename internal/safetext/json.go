package safetext

import (
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// A String is text that in JSON has every character that does not print escaped:
// a program reads it as it was, and a terminal shows it and does not act on it.
type String string

// MarshalJSON implements [json.Marshaler].
func (s String) MarshalJSON() ([]byte, error) {
	quoted, err := json.Marshal(string(s))
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, r := range string(quoted) {
		switch {
		case unicode.IsPrint(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out, nil
}

// A Name is what a file is called on the command line, or what a stream is called
// in messages. People see it as [Printable] makes it; programs get it, in JSON, as
// it is, so that they can open the file by it.
type Name string

func (n Name) String() string { return Printable(string(n)) }

// MarshalJSON implements [json.Marshaler].
func (n Name) MarshalJSON() ([]byte, error) { return String(n).MarshalJSON() }

// Raw is the bytes of a name that is not UTF-8, which no JSON string can hold; nil
// for every other name.
func (n Name) Raw() []byte {
	if utf8.ValidString(string(n)) {
		return nil
	}
	return []byte(n)
}

// The fields by which reports in JSON name files, to be embedded.
type (
	FileField struct {
		File    Name   `json:"file"`
		FileRaw []byte `json:"file_base64,omitempty"`
	}
	InputField struct {
		Input    Name   `json:"input"`
		InputRaw []byte `json:"input_base64,omitempty"`
	}
	OutputField struct {
		Output    Name   `json:"output,omitempty"`
		OutputRaw []byte `json:"output_base64,omitempty"`
	}
)

// AsFile is the name as a field "file".
func (n Name) AsFile() FileField { return FileField{n, n.Raw()} }

// AsInput is the name as a field "input".
func (n Name) AsInput() InputField { return InputField{n, n.Raw()} }

// AsOutput is the name as a field "output".
func (n Name) AsOutput() OutputField { return OutputField{n, n.Raw()} }
