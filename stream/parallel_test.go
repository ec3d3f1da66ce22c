package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/cryptotest"

	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// fixedKEK is a recipient whose slots depend on nothing but the random bytes drawn.
func fixedKEK(t testing.TB) *keyslot.KEK {
	t.Helper()
	k, err := keyslot.NewKEK(bytes.Repeat([]byte{0x5a}, keyslot.KEKSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// How many workers there are, and in what steps the plaintext comes, is not to
// be seen in the container: with the same random bytes it is the same.
func TestParallelEqualsSerial(t *testing.T) {
	sizes := edges(0, chunk, batch, batch+chunk, 3*batch)
	for _, suite := range suites {
		for i, n := range append(sizes, edges(segment, segment+batch)...) {
			plain := plaintext(n)
			seal := func(workers int, write func(*stream.Writer, []byte) error) []byte {
				cryptotest.SetGlobalRandom(t, 7)
				var dst bytes.Buffer
				w := newWriter(t, &dst, fixedKEK(t), stream.WriterOptions{Workers: workers, Suite: suite})
				if err := write(w, plain); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				return dst.Bytes()
			}
			serial := seal(1, inSteps(chunk))
			for j, workers := range []int{1, 2, 3, 8, 64} {
				writing := writings[(i+j)%len(writings)]
				if n > 3*batch+1 && (i+j)%2 == 1 {
					continue
				}
				if !bytes.Equal(seal(workers, writing.write), serial) {
					t.Errorf("%v, %d bytes, %d workers, %s: another container", suite, n, workers, writing.name)
				}
			}
		}
	}
}

// Two containers of the same plaintext for the same recipient share nothing.
func TestContainersDiffer(t *testing.T) {
	k, plain := fixedKEK(t), make([]byte, 1000)
	a, b := encrypt(t, plain, k, stream.WriterOptions{}), encrypt(t, plain, k, stream.WriterOptions{})
	ha, hb := parseHead(t, a), parseHead(t, b)
	if ha.Salt == hb.Salt || ha.Commitment == hb.Commitment || ha.MAC == hb.MAC || ha.Slots[0].ID == hb.Slots[0].ID || bytes.Equal(ha.Slots[0].Body, hb.Slots[0].Body) {
		t.Error("the heads share something that is to be fresh")
	}
	for i := headSize; i < headSize+1000; i += 8 {
		if bytes.Equal(a[i:i+8], b[i:i+8]) {
			t.Fatalf("the payloads share the bytes from %d on", i)
		}
	}
}

// The same for any plaintext, cut and sealed in any way, and opened in any.
func FuzzParallelEqualsSerial(f *testing.F) {
	f.Add([]byte("plaintext"), uint32(100_000), uint8(2), uint16(1000), true)
	f.Add([]byte{}, uint32(batch), uint8(3), uint16(1), false)
	f.Add([]byte{1}, uint32(3*batch+1), uint8(8), uint16(65535), true)
	f.Fuzz(func(t *testing.T, seed []byte, n uint32, workers uint8, step uint16, chacha bool) {
		plain := make([]byte, n%(4*batch))
		for i := range plain {
			plain[i] = byte(i) ^ byte(i>>8)
			if len(seed) > 0 {
				plain[i] += seed[i%len(seed)]
			}
		}
		o := stream.WriterOptions{Suite: format.AES256GCM}
		if chacha {
			o.Suite = format.ChaCha20Poly1305
		}
		seal := func(workers, step int) []byte {
			cryptotest.SetGlobalRandom(t, 7)
			var dst bytes.Buffer
			o.Workers = workers
			w := newWriter(t, &dst, fixedKEK(t), o)
			if err := inSteps(step)(w, plain); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return dst.Bytes()
		}
		serial := seal(1, batch)
		if parallel := seal(int(workers%16)+2, int(step)+1); !bytes.Equal(parallel, serial) {
			t.Fatal("another container")
		}
		for _, w := range fewWays {
			if got := w.read(serial, fixedKEK(t), stream.ReaderOptions{Workers: int(workers%4) + 1}); got.err != nil || !bytes.Equal(got.plain, plain) {
				t.Fatalf("%s: %d bytes of %d: %v", w.name, len(got.plain), len(plain), got.err)
			}
		}
	})
}

// Any bytes with a good head in front, any change of a good container: what a
// reader gives is a prefix of the plaintext, and all readers judge alike.
func FuzzReader(f *testing.F) {
	k, plain := fixedKEK(f), plaintext(2*chunk+100)
	var dst bytes.Buffer
	w := newWriter(f, &dst, k, stream.WriterOptions{})
	w.Write(plain)
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	container := dst.Bytes()
	f.Add(uint32(0), []byte{}, uint32(0))               // as it is
	f.Add(uint32(5), []byte{1}, uint32(1))              // a byte of the head
	f.Add(uint32(headSize), []byte{1, 2, 3}, uint32(0)) // an insertion
	f.Add(uint32(headSize+100), []byte{}, uint32(format.SealedChunkSize))
	f.Add(uint32(headSize), container[headSize+format.SealedChunkSize:][:format.SealedChunkSize], uint32(format.SealedChunkSize))
	f.Add(uint32(len(container)), []byte("trailing"), uint32(0))
	f.Add(uint32(len(container)-10), []byte{}, uint32(10))
	f.Add(uint32(0), []byte("age-encryption.org/v1\n"), uint32(1<<30))
	f.Fuzz(func(t *testing.T, at uint32, insert []byte, remove uint32) {
		at = min(at, uint32(len(container)))
		remove = min(remove, uint32(len(container))-at)
		b := bytes.Join([][]byte{container[:at], insert, container[at+remove:]}, nil)
		same := bytes.Equal(b, container)
		rep, verr := stream.Verify(context.Background(), bytes.NewReader(b), int64(len(b)), with(k), nil)
		if same != (verr == nil && rep.Valid()) {
			t.Fatalf("Verify: valid %v, %v", rep.Valid(), verr)
		}
		for _, w := range fewWays {
			got := w.read(b, k, stream.ReaderOptions{Workers: 2})
			if !bytes.HasPrefix(plain, got.plain) {
				t.Fatalf("%s: gave %d bytes that are not the plaintext's", w.name, len(got.plain))
			}
			if got.err == nil && len(got.plain) != len(plain) {
				t.Fatalf("%s: gave %d bytes of %d without an error", w.name, len(got.plain), len(plain))
			}
			if got.err == nil && !same && len(got.warnings) == 0 {
				t.Fatalf("%s: gave all of a changed container without a warning", w.name)
			}
			if got.err != nil && fmt.Sprint(got.err) == "" {
				t.Fatalf("%s: %#v says nothing", w.name, got.err)
			}
		}
	})
}
