package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
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
	signed, _ := json.Marshal(begunSet{Source: "plain", Size: 9, Root: new(origin.Hash), Set: &set.Unfinished{}})
	hashed, _ := json.Marshal(volumeLine{Root: new(origin.Hash)})
	for _, lines := range [][][]byte{{signed, hashed}, {signed, whole(0)}, {begun, hashed}, {begun}, {begun, whole(0), whole(1)}, {begun, whole(0), whole(0)}, {begun, whole(1)}, {whole(0)}, {[]byte("null")}, {nil, nil}} {
		f.Add(bytes.Join(lines, []byte("\n")))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := parseJournal(bytes.Split(text, []byte("\n")))
		if err != nil {
			return
		}
		volumes, again := b.Set.Volumes, *b
		short := *b.Set
		again.Set, short.Volumes = &short, nil
		line, err := json.Marshal(again)
		lines := [][]byte{line}
		for i, v := range volumes {
			line, verr := json.Marshal(volumeLine{i, v, b.roots[i+1]})
			lines = append(lines, line)
			if verr != nil {
				err = verr
			}
		}
		if err != nil {
			return // of a time that has no text
		}
		c, err := parseJournal(lines)
		if err != nil {
			t.Fatal(err)
		}
		read := c.Set.Volumes
		b.Set.Volumes, c.Set.Volumes = nil, nil
		if !slices.Equal(read, volumes) || !reflect.DeepEqual(b.Set, c.Set) || c.Size != b.Size || c.Suite != b.Suite || !c.Time.Equal(b.Time) || !reflect.DeepEqual(c.roots, b.roots) {
			t.Errorf("%+v, again %+v", b, c)
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
