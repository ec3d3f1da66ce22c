package epoch

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"bulla/internal/bech32"
)

var update = flag.Bool("update", false, "make the vectors anew")

const vectors = "../../testdata/epoch"

// slow computes everything a second time: HKDF-Expand as RFC 5869 writes it down, age's
// own identities, and the package time's calendar.
type slow struct {
	c []byte
	t uint64
}

func (s slow) expand(label string, n int) []byte {
	var out, last []byte
	for i := byte(1); len(out) < n; i++ {
		h := hmac.New(sha512.New, s.c)
		h.Write(last)
		h.Write([]byte(label))
		h.Write(binary.BigEndian.AppendUint64(nil, s.t))
		h.Write([]byte{i})
		last = h.Sum(nil)
		out = append(out, last...)
	}
	return out[:n]
}

func (s slow) next() slow { return slow{s.expand("bulla/v2 epoch next", 64), s.t + 1} }

func (s slow) recipient(t *testing.T) string {
	t.Helper()
	id, err := age.ParseHybridIdentity(bech32.Encode("AGE-SECRET-KEY-PQ-", s.expand("bulla/v2 epoch key", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String()
}

func vector(t *testing.T, name string, make func() []byte) []byte {
	t.Helper()
	name = filepath.Join(vectors, name)
	if *update && make != nil {
		if err := os.WriteFile(name, make(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectorChain is the chain of all vectors, at the first month of 2027.
func vectorChain() (c chain) {
	c.t = 684
	for i := range c.c {
		c.c[i] = byte(i)
	}
	return c
}

// Sixty epochs of the chain are what is written down, and what the slow computation says.
func TestChainVectors(t *testing.T) {
	c := vectorChain()
	s := slow{c.c[:], uint64(c.t)}
	var fast, slowly bytes.Buffer
	for range 60 {
		id, err := c.identity()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&fast, "%d %x %x %x\n", c.t, c.c, c.expand(labelKey, seedSize), sha256.Sum256([]byte(id.Recipient().Canonical())))
		fmt.Fprintf(&slowly, "%d %x %x %x\n", s.t, s.c, s.expand("bulla/v2 epoch key", 32), sha256.Sum256([]byte(s.recipient(t))))
		c, s = c.to(c.t+1), s.next()
	}
	if fast.String() != slowly.String() {
		t.Errorf("the chain is\n%s\nand slowly\n%s", fast.String(), slowly.String())
	}
	if want := vector(t, "chain.txt", fast.Bytes); !bytes.Equal(fast.Bytes(), want) {
		t.Error("the chain is not that of testdata/epoch/chain.txt")
	}
	if a, b := vectorChain().to(700), vectorChain().to(690).to(700); a != b || a.t != 700 || vectorChain().to(3) != vectorChain() {
		t.Error("steps and strides differ")
	}
}

// vectorKeeper is a keeper of 2027 by months that was advanced to March.
func vectorKeeper(p Protection, secret string) *Keeper {
	c := vectorChain()
	return &Keeper{h: header{Magic: [len(magic)]byte([]byte(magic)), Layout: 1, Every: Month, Protection: p}, chain: &c, secret: []byte(secret),
		pages: [2]*state{{fields: fields{Generation: 3, Epoch: 686, End: 696, Run: 20878}}}}
}

func TestKeeperVectors(t *testing.T) {
	for _, v := range []struct {
		name   string
		p      Protection
		secret string
	}{{"plain.keeper", Plain, ""}, {"passphrase.keeper", Passphrase, "open sesame"}} {
		file := vector(t, v.name, func() []byte {
			k := vectorKeeper(v.p, v.secret)
			march := k.chain.to(686)
			box, err := k.seal(t.Context(), &march, 0)
			if err != nil {
				t.Fatal(err)
			}
			k.pages[0].box = box
			return k.Encode()
		})
		k := parse(t, file)
		if k.Reach().String() != "2027-03-01 to 2027-12-31" || k.LastRun() != day("2027-03-01") || k.Protection() != v.p {
			t.Errorf("%s: %v, %v, %v", v.name, k.Reach(), k.LastRun(), k.Protection())
		}
		if err := k.Unlock(t.Context(), &Secrets{Passphrase: func(context.Context) ([]byte, error) { return []byte(v.secret), nil }}); err != nil {
			t.Fatal(err)
		}
		if want := vectorChain().to(686); *k.chain != want {
			t.Errorf("%s holds another state", v.name)
		}
		if !bytes.Equal(parse(t, file).Encode(), file) {
			t.Errorf("%s does not encode to itself", v.name)
		}
	}
	plain := vector(t, "plain.keeper", nil)
	// The layout, written down once more.
	want := make([]byte, 3*4096)
	copy(want, "bulla keeper\r\n\x1a\n\x01\x03")
	copy(want[4096:], "\x00\x00\x00\x00\x00\x00\x00\x03"+"\x00\x00\x02\xae"+"\x00\x00\x02\xb8"+"\x00\x00\x51\x8e"+"\x00\x00\x00\x00\x00\x00\x00\x00"+"\x00\x40")
	s := slow{vectorChainBytes(), 684}.next().next()
	copy(want[4096+30:], s.c)
	sum := sha256.Sum256(want[:4096+30+64])
	copy(want[4096+30+64:], sum[:])
	if !bytes.Equal(plain, want) {
		t.Error("plain.keeper is laid out otherwise")
	}
}

func vectorChainBytes() []byte { c := vectorChain(); return c.c[:] }

// The calendar of the vectors, line by line, with dates that package time has walked to.
func TestCalendarVector(t *testing.T) {
	c := vectorChain()
	k := vectorKeeper(Plain, "")
	k.pages[0].Epoch = 684
	cal, err := k.Calendar()
	if err != nil {
		t.Fatal(err)
	}
	b := vector(t, "2027.calendar", cal.Encode)
	if !bytes.Equal(cal.Encode(), b) {
		t.Error("the calendar is another one")
	}
	var want strings.Builder
	want.WriteString("bulla calendar 1\nevery month\n")
	s := slow{c.c[:], 684}
	for at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == 2027; at = at.AddDate(0, 0, 1) {
		if at.Day() == 1 {
			want.WriteString(at.Format("2006-01-02 ") + s.recipient(t) + "\n")
			s = s.next()
		}
	}
	sum := sha256.Sum256([]byte(want.String()))
	want.WriteString("sha256 " + hex.EncodeToString(sum[:]) + "\n")
	if want.String() != string(b) {
		t.Errorf("it is\n%s\nwant\n%s", b, want.String())
	}
}
