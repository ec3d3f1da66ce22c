package keyslot

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
)

func TestWords(t *testing.T) {
	list := words()
	if len(list) != wordCount {
		t.Fatalf("%d words", len(list))
	}
	// The SHA-256 of english.txt, as BIP-0039 has it.
	sum := sha256.Sum256([]byte(strings.Join(list, "\n") + "\n"))
	if hex.EncodeToString(sum[:]) != "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda" {
		t.Errorf("the list has the SHA-256 %x", sum)
	}
	if !slices.IsSorted(list) {
		t.Error("the list is not sorted")
	}
	starts := map[string]bool{}
	for _, w := range list {
		starts[w[:min(4, len(w))]] = true
		if strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("%q is not a word", w)
		}
	}
	if len(starts) != wordCount {
		t.Errorf("only %d beginnings of four letters", len(starts))
	}
}

func TestGeneratePassphrase(t *testing.T) {
	m := osMixer(t)
	seen := map[string]bool{}
	for range 2000 {
		p, err := GeneratePassphrase(m)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(string(p), "-")
		if len(parts)*11 != GeneratedPassphraseBits {
			t.Fatalf("%d words", len(parts))
		}
		for _, w := range parts {
			if _, ok := slices.BinarySearch(words(), w); !ok {
				t.Fatalf("%q is not in the list", w)
			}
			seen[w] = true
		}
	}
	// Of 20,000 draws from 2,048 words, a word is missing with e^-9.8; all but
	// a handful must have come.
	if len(seen) < wordCount-10 {
		t.Errorf("only %d words ever come", len(seen))
	}
}

func TestGeneratePassphraseDependsOnMixer(t *testing.T) {
	m := osMixer(t)
	cryptotest.SetGlobalRandom(t, 1)
	a, err := GeneratePassphrase(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := GeneratePassphrase(m)
	if err != nil || string(a) == string(b) {
		t.Errorf("%s twice, %v", a, err)
	}
	cryptotest.SetGlobalRandom(t, 1)
	c, err := GeneratePassphrase(m)
	if err != nil || string(a) != string(c) {
		t.Errorf("%s and %s of the same random bytes, %v", a, c, err)
	}
}
