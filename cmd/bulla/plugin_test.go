package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
)

// agePluginTest is a plugin that hides nothing: the stanza it makes holds the
// file key as it is. Before it gives the key back it says and asks all that a
// plugin can. It speaks the plugin protocol of C2SP's age-plugin.md.
func agePluginTest() {
	in := bufio.NewReader(os.Stdin)
	var fileKey []string // the lines of a body
	for {
		head, body := readStanza(in)
		switch words := strings.Fields(head); words[1] {
		case "wrap-file-key":
			fileKey = body
		case "recipient-stanza": // a plugin is shown those of all the slots
			if words[3] == "test" {
				fileKey = body
			}
		case "done":
			if os.Args[1] == "--age-plugin=recipient-v1" {
				tell(in, "recipient-stanza 0 test", fileKey)
			} else {
				ask(in, fileKey)
			}
			fmt.Print("-> done\n\n")
			return
		}
	}
}

// ask is the conversation before a file key is handed out.
func ask(in *bufio.Reader, fileKey []string) {
	text := func(s string) []string { return []string{base64.RawStdEncoding.EncodeToString([]byte(s))} }
	word := func(s string) string { return text(s)[0] }
	tell(in, "msg", text("hello \x1b[2Jthere"))
	if _, name := tell(in, "request-public", text("name")); name[0] != word("joe") {
		tell(in, "error internal", text("nobody but joe"))
		return
	}
	if _, pin := tell(in, "request-secret", text("PIN")); pin[0] != word("1234") {
		tell(in, "error internal", text("wrong PIN"))
		return
	}
	if head, _ := tell(in, "confirm "+word("really")+" "+word("rather not"), text("open it?")); head != "-> ok yes" {
		tell(in, "error internal", text("well, then not"))
		return
	}
	tell(in, "file-key 0", fileKey)
}

// tell sends a stanza and returns the answer.
func tell(in *bufio.Reader, head string, body []string) (string, []string) {
	fmt.Printf("-> %s\n%s\n", head, strings.Join(body, "\n"))
	return readStanza(in)
}

func readStanza(in *bufio.Reader) (head string, body []string) {
	head, err := in.ReadString('\n')
	if err != nil {
		os.Exit(1)
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			os.Exit(1)
		}
		body = append(body, strings.TrimSuffix(line, "\n"))
		if len(line) <= 64 {
			return strings.TrimSuffix(head, "\n"), body
		}
	}
}
