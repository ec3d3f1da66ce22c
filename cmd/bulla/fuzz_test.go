package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"bulla/internal/storage"
	"bulla/origin"
	"bulla/set"
	"bulla/stream"
)

// What a journal says is what a run has written, or it is refused.
func FuzzJournal(f *testing.F) {
	begun, _ := json.Marshal(begunSet{Source: "plain", Size: 9, Set: &set.Unfinished{}})
	whole := func(n int) []byte { b, _ := json.Marshal(volumeLine{Number: n, Volume: set.Volume{Size: 5}}); return b }
	signed, _ := json.Marshal(begunSet{Source: "plain", Size: 9, Roots: []*origin.Hash{new(origin.Hash)}, Set: &set.Unfinished{}})
	hashed, _ := json.Marshal(volumeLine{Root: new(origin.Hash)})
	anew, _ := json.Marshal(begunSet{Source: "plain", Size: 9, Roots: make([]*origin.Hash, 2), Set: &set.Unfinished{Volumes: make([]set.Volume, 1)}})
	for _, lines := range [][][]byte{{anew, whole(1)}, {bytes.ReplaceAll(anew, []byte("null"), []byte(`"00"`))}, {signed, hashed}, {signed, whole(0)}, {begun, hashed}, {begun}, {begun, whole(0), whole(1)}, {begun, whole(0), whole(0)}, {begun, whole(1)}, {whole(0)}, {[]byte("null")}, {nil, nil}} {
		f.Add(bytes.Join(lines, []byte("\n")))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := parseJournal(bytes.Split(text, []byte("\n")))
		if err != nil {
			return
		}
		if len(b.Set.Volumes) == 0 {
			b.Set.Volumes = nil
		}
		all, err := json.Marshal(b)
		if err != nil {
			return // of a time that has no text
		}
		begun, short := *b, *b.Set
		begun.Set, short.Volumes = &short, nil
		if b.Roots != nil {
			begun.Roots = b.Roots[:1]
		}
		line, _ := json.Marshal(begun)
		lines := [][]byte{line}
		for i, v := range b.Set.Volumes {
			l := volumeLine{Number: i, Volume: v}
			if b.Roots != nil {
				l.Root = b.Roots[i+1]
			}
			line, _ := json.Marshal(l)
			lines = append(lines, line)
		}
		for _, again := range [][][]byte{{all}, lines} {
			c, err := parseJournal(again)
			if err != nil {
				t.Fatal(err)
			}
			if line, _ := json.Marshal(c); !bytes.Equal(line, all) {
				t.Errorf("%s, again %s", all, line)
			}
		}
	})
}

// A name is taken apart at the mark, and nothing of it is lost.
func FuzzMember(f *testing.F) {
	for _, s := range []string{"a.tar.bulla", "a::b", "a::b::c", "::", "a::", "https://[::1]/x::m", "s3://b/k::m", "https://::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		file, member, marked := cutMember(arg)
		back := file
		if marked {
			back += memberMark + member
		}
		if back != arg || !marked && member != "" {
			t.Errorf("%q: %q and %q, %v", arg, file, member, marked)
		}
		if storage.Scheme(arg) != storage.Scheme(file) {
			t.Errorf("%q: %q is of another kind", arg, file)
		}
		if storage.Scheme(arg) == "" && strings.Contains(file, memberMark) {
			t.Errorf("%q: a mark is left in %q", arg, file)
		}
	})
}

// Samples are within what they are of.
func FuzzSample(f *testing.F) {
	for _, s := range []string{"1/1", "3/30", "0/1", "2/1", "1", "/", "-1/-1", "9223372036854775807/9223372036854775807", "1/ 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSample(text)
		if (err == nil) != (s != stream.Slice{}) {
			t.Fatalf("%q: %v, %v", text, s, err)
		}
		if err != nil {
			return
		}
		if again, err := parseSample(fmt.Sprintf("%d/%d", s.N, s.Of)); s.N < 1 || s.N > s.Of || again != s || err != nil {
			t.Errorf("%q: %v, again %v, %v", text, s, again, err)
		}
	})
}
