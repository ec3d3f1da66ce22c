package main

import "unicode/utf8"

// A fileName is what a file is called on the command line, or what a stream is
// called here. People see it quoted if it has characters that a terminal would act
// on; programs get it, in JSON, as it is, so that they can open the file by it.
type fileName string

func (n fileName) String() string { return printable(string(n)) }

func (n fileName) MarshalJSON() ([]byte, error) { return safeText(n).MarshalJSON() }

// raw is the bytes of a name that is not UTF-8, which no JSON string can hold;
// nil of one that is.
func (n fileName) raw() []byte {
	if utf8.ValidString(string(n)) {
		return nil
	}
	return []byte(n)
}

// What verbs say of files with --json has these in it.
type (
	namedFile struct {
		File    fileName `json:"file"`
		FileRaw []byte   `json:"file_base64,omitempty"`
	}
	namedInput struct {
		Input    fileName `json:"input"`
		InputRaw []byte   `json:"input_base64,omitempty"`
	}
	namedOutput struct {
		Output    fileName `json:"output,omitempty"`
		OutputRaw []byte   `json:"output_base64,omitempty"`
	}
)

func (n fileName) asFile() namedFile     { return namedFile{n, n.raw()} }
func (n fileName) asInput() namedInput   { return namedInput{n, n.raw()} }
func (n fileName) asOutput() namedOutput { return namedOutput{n, n.raw()} }
