package vectors

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bulla/format"
)

// A vector that was written is read as it was.
func TestTextRoundTrip(t *testing.T) {
	sets, _ := madeSets()
	for _, v := range slices.Concat(made(), sets) {
		file := v.Append(nil)
		back, err := Parse(v.Name, file)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if again := back.Append(nil); !bytes.Equal(file, again) {
			t.Errorf("%s: parsing and writing gives another file", v.Name)
		}
		if !reflect.DeepEqual(back.Ranges, v.Ranges) || back.Stream != v.Stream || !reflect.DeepEqual(back.Random, v.Random) ||
			!reflect.DeepEqual(back.recipe, v.recipe) || !bytes.Equal(back.Detached, v.Detached) ||
			!reflect.DeepEqual(back.Members, v.Members) || !reflect.DeepEqual(back.PartWise, v.PartWise) || !reflect.DeepEqual(back.Granted, v.Granted) {
			t.Errorf("%s: it was read as another vector", v.Name)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "comment: c\nexpect: success\nlength: 0\n"
	if _, err := Parse("", []byte(good+"\n")); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"no empty line":          good,
		"nothing":                "",
		"an unknown key":         good + "colour: red\n\n",
		"no separator":           good + "clause\n\n",
		"no space":               good + "clause:HEAD-1\n\n",
		"a number that is none":  good + "cut: x\n\n",
		"a negative number":      good + "cut: -1\n\n",
		"a number too many":      good + "cut: 1 2\n\n",
		"a word too few":         good + "keyless: HEAD-1\n\n",
		"a hash too short":       good + "payload: 00\n\n",
		"a hash that is none":    good + "payload: " + strings.Repeat("x", 64) + "\n\n",
		"an unknown random key":  good + "random-colour: red\n\n",
		"a truth that is none":   good + "part: chunk 0 1 perhaps\n\n",
		"more detached than all": good + "detached: 5\n\n1234",
	} {
		if _, err := Parse("", []byte(file)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Every key is described where people look, and nothing else is.
func TestReadmeDescribesKeys(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(directory, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	keys := slices.Concat(valueKeys, keyKinds, []string{keyComment, keyExpect, keyClause, keyLength, keyPayload, keyInUse, keyRaw, keyRange, keyWhere, keyMember, keyGranted,
		keyKeyless, keyVerify, keyCovers, keyRole, keyDetached, keyPart, keyXor, keyCut, keySize, keySum,
		randomly + keyExpect, randomly + keyClause, randomly + keyLength, randomly + keyPayload, randomly + keyInUse, randomly + keyWhere})
	for _, o := range Outcomes {
		keys = append(keys, string(o))
	}
	for _, k := range keys {
		if !bytes.Contains(readme, []byte("`"+k+"`")) {
			t.Errorf("README.md does not describe %q", k)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)`").FindAllSubmatch(readme, -1) {
		if !slices.Contains(keys, string(m[1])) {
			t.Errorf("README.md describes %q, which is no key", m[1])
		}
	}
	// The table of outcomes is that of the code.
	for c, o := range failures {
		row := regexp.MustCompile("(?m)^\\| `" + string(o) + "` .*$").Find(readme)
		family, number, _ := strings.Cut(string(c), "-")
		if !bytes.Contains(row, []byte(c)) && !(o == Malformed && family == "HEAD" && number >= "10" && c != format.HEAD16) && c != format.HEAD9 {
			t.Errorf("README.md does not say that %s is %s", c, o)
		}
	}
}

// What parses is written in a form that parses to the same.
func FuzzParse(f *testing.F) {
	for _, v := range made() {
		if file := v.Append(nil); len(file) < 10<<10 {
			f.Add(file)
		}
	}
	f.Add([]byte("comment: nothing is expected\n\n"))
	f.Add([]byte("comment: \nexpect: success\nrandom-length: 0\n\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		v, err := Parse("", file)
		if err != nil {
			return
		}
		once := v.Append(nil)
		back, err := Parse("", once)
		if err != nil {
			t.Fatalf("what was written does not parse: %v", err)
		}
		if !bytes.Equal(back.Append(nil), once) {
			t.Fatal("what was written parses to something else")
		}
	})
}
