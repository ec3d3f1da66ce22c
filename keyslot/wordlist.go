package keyslot

import (
	_ "embed"
	"encoding/binary"
	"strings"
	"sync"

	"bulla/entropy"
)

// A generated passphrase is ten words of a list of 2,048: 11 bits a word, 110
// bits in all, before Argon2id makes each guess dear. That is out of reach of
// any guesser, and can still be written down on one line.
const (
	passphraseWords   = 10
	wordBits          = 11
	wordCount         = 1 << wordBits
	passphraseWordSep = "-"

	// GeneratedPassphraseBits is the strength of what [GeneratePassphrase]
	// makes, in bits.
	GeneratedPassphraseBits = passphraseWords * wordBits
)

//go:embed words.txt
var wordsFile string

// words is the list: the lines of the file that are no comments.
var words = sync.OnceValue(func() []string {
	list := make([]string, 0, wordCount)
	for line := range strings.Lines(wordsFile) {
		if word := strings.TrimSpace(line); word != "" && !strings.HasPrefix(word, "#") {
			list = append(list, word)
		}
	}
	return list
})

// GeneratePassphrase makes a passphrase of ten words, joined by hyphens, such
// as one offers to somebody who left the prompt empty. Each word stands for 11
// random bits from m, so all are equally likely and the strength is
// [GeneratedPassphraseBits].
func GeneratePassphrase(m *entropy.Mixer) ([]byte, error) {
	random := make([]byte, 2*passphraseWords)
	defer clear(random)
	if err := m.Fill("passphrase", random); err != nil {
		return nil, err
	}
	var passphrase []byte
	for i := range passphraseWords {
		// The number of words is a power of two: a mask has no bias.
		n := binary.BigEndian.Uint16(random[2*i:]) % wordCount
		if i > 0 {
			passphrase = append(passphrase, passphraseWordSep...)
		}
		passphrase = append(passphrase, words()[n]...)
	}
	return passphrase, nil
}
