package keyslot

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadSecret(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxSecret)
	for in, want := range map[string]string{
		"": "", "a": "a", "a\n": "a", "a\r\n": "a", "a\r": "a\r", "a\n\n": "a\n", "\n": "", " a ": " a ",
		"\xef\xbb\xbfa\n": "a", long: long,
	} {
		if got, err := ReadSecret(strings.NewReader(in), "PIN"); err != nil || string(got) != want {
			t.Errorf("%.20q: %.20q and %v, want %.20q", in, got, err, want)
		}
	}
	for in, reason := range map[string]string{
		long + "x": "at most 65536 bytes", "\xff\xfea\x00": "the PIN is in UTF-16", "\xfe\xff\x00a": "the PIN is in UTF-16",
	} {
		got, err := ReadSecret(iotest.OneByteReader(strings.NewReader(in)), "PIN")
		var bad *KeyError
		if got != nil || !errors.As(err, &bad) || !strings.Contains(bad.Reason, reason) || bad.Advice == "" {
			t.Errorf("%.20q: %.20q and %v", in, got, err)
		}
	}
	broken := errors.New("the disk is gone")
	if _, err := ReadSecret(iotest.ErrReader(broken), "PIN"); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := ReadSecret(bytes.NewReader(nil), "PIN"); err != nil {
		t.Error(err)
	}
}
