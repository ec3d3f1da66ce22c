package entropy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
)

// hkdfSHA512 is RFC 5869 written down once more, for the tests.
func hkdfSHA512(ikm, salt []byte, info string, n int) []byte {
	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha512.New, key)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	prk := mac(salt, ikm)
	var out, last []byte
	for i := byte(1); len(out) < n; i++ {
		last = mac(prk, last, []byte(info), []byte{i})
		out = append(out, last...)
	}
	return out[:n]
}

// counting fills with 0, 1, 2, … across calls.
func counting() func(p []byte) error {
	var next byte
	return func(p []byte) error {
		for i := range p {
			p[i] = next
			next++
		}
		return nil
	}
}

// The mixer's definition. The constant was computed by a program in another
// language; a source that fails leaves no trace.
func TestGolden(t *testing.T) {
	m := mixerOf(t, nil,
		plainTap(1, "unique", 5, constant(1)),
		plainTap(2, "rdrand", 32, counting()),
		plainTap(5, "tpm", 32, broken))
	m.os = &fakeSource{"os", counting()}
	got := make([]byte, 48)
	if err := m.Fill("test", got); err != nil {
		t.Fatal(err)
	}

	stream := make([]byte, 64+48)
	counting()(stream)
	ikm := []byte{0, 1, 0, 0, 0, 5, 1, 1, 1, 1, 1, 0, 2, 0, 0, 0, 32}
	for i := range byte(32) {
		ikm = append(ikm, i)
	}
	want := hkdfSHA512(ikm, stream[:64], "bulla/v1 mix test", 48)
	for i := range want {
		want[i] ^= stream[64+i]
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	const golden = "e0b734d2c2baa71b3766acfa759d906e275fa38c2c02a3647492e7b65fbad57f2f40a6265b458fe512a0789f2891202b"
	if hex.EncodeToString(got) != golden {
		t.Errorf("got  %x\nwant %s", got, golden)
	}
}

func TestLengths(t *testing.T) {
	m := mixerOf(t, nil, fakeTap(2, "rdrand", good(1)))
	for _, n := range []int{1, 2, 31, 32, 63, 64, 65, 1000, MaxFill} {
		out := make([]byte, n+1)
		if err := m.Fill("test", out[:n]); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if out[n] != 0 {
			t.Errorf("%d bytes: wrote past the end", n)
		}
		if n >= 64 && bytes.Contains(out[:n], make([]byte, 16)) {
			t.Errorf("%d bytes: not all filled", n)
		}
	}
	for _, n := range []int{0, MaxFill + 1} {
		if err := m.Fill("test", make([]byte, n)); err == nil {
			t.Errorf("%d bytes: no error", n)
		}
	}
}

// With "os" alone, the output is a function of crypto/rand and the purpose.
func TestOSAloneIsDeterministic(t *testing.T) {
	m, err := New(&Options{Sources: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	draw := func(seed uint64, purpose string) (out [32]byte) {
		cryptotest.SetGlobalRandom(t, seed)
		if err := m.Fill(purpose, out[:]); err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := draw(1, "a")
	if draw(1, "a") != first {
		t.Error("the same stream gave different bytes")
	}
	if draw(2, "a") == first {
		t.Error("another stream gave the same bytes")
	}
	if draw(1, "b") == first {
		t.Error("another purpose gave the same bytes")
	}
}

// Whatever the sources do, each output is masked by operating system bytes
// drawn after they have spoken.
func TestHostileSources(t *testing.T) {
	// These look random enough to stay in: the worst a source can do.
	var seen []byte // what a source could have seen so far
	echo := func(p []byte) error {
		for i := range p {
			p[i] = byte(i * 37)
			if len(seen) > 0 {
				p[i] ^= seen[i%len(seen)]
			}
		}
		return nil
	}
	spy := func(p []byte) error {
		seen = append(seen[:0], p...)
		return nil
	}
	var drawn [][]byte
	os := func(p []byte) error {
		osSource{}.Fill(p)
		drawn = append(drawn, bytes.Clone(p))
		return nil
	}
	m := mixerOf(t, nil,
		plainTap(2, "rdrand", 32, constant(0)),
		plainTap(3, "rdseed", 32, spy),
		plainTap(4, "rndr", 32, echo),
		plainTap(5, "tpm", 32, echo))
	m.os = &fakeSource{"os", os}

	outputs := make(map[[32]byte]bool)
	for range 1000 {
		drawn = drawn[:0]
		out := fill(t, m)
		if outputs[out] {
			t.Fatal("an output came twice")
		}
		outputs[out] = true
		if len(drawn) != 2 || len(drawn[0]) != saltSize || len(drawn[1]) != len(out) {
			t.Fatalf("the operating system was asked %d times", len(drawn))
		}
		if bytes.Equal(out[:], drawn[1]) {
			t.Fatal("the output is the mask alone")
		}
	}
}

// A source that knows all but the mask, and may try as often as it likes, wins
// a byte of the derived key, and nothing of the output.
func TestSteering(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	var salt []byte
	var asked int
	os := func(p []byte) error {
		osSource{}.Fill(p)
		if asked++; asked%2 == 1 {
			salt = bytes.Clone(p)
		}
		return nil
	}
	derivedZero := 0
	steer := func(p []byte) error {
		for try := range uint64(4096) {
			binary.LittleEndian.PutUint64(p, try)
			ikm := append(appendHeader(nil, 2, len(p)), p...)
			if hkdfSHA512(ikm, salt, infoPrefix+"test", 32)[0] == 0 {
				derivedZero++
				break
			}
		}
		return nil
	}
	m := mixerOf(t, nil, plainTap(2, "rdrand", 32, steer))
	m.os = &fakeSource{"os", os}
	const draws = 200
	zero := 0
	for range draws {
		if fill(t, m)[0] == 0 {
			zero++
		}
	}
	if derivedZero != draws {
		t.Fatalf("the source steered the derived key in %d of %d draws: the test tests nothing", derivedZero, draws)
	}
	if zero > 10 { // one in 256 by chance
		t.Errorf("the source steered the output in %d of %d draws", zero, draws)
	}
}

// With the operating system frozen, each source alone makes outputs differ.
func TestFrozenOS(t *testing.T) {
	for name, tap := range map[string]*tap{
		"hardware": fakeTap(2, "rdrand", good(1)),
		"unique":   newTap(kinds()[0]),
	} {
		frozen := func() [32]byte {
			cryptotest.SetGlobalRandom(t, 1)
			return fill(t, mixerOf(t, nil, tap))
		}
		if a, b := frozen(), frozen(); a == b {
			t.Errorf("%s: two mixers gave the same bytes", name)
		}
	}
}

// Different lists of contributions never have the same encoding.
func TestEncodingIsInjective(t *testing.T) {
	type contribution struct {
		id   uint16
		data string
	}
	var alphabet []contribution
	for _, id := range []uint16{0, 1, 2, 0x0100} {
		for _, data := range []string{"", "\x00", "\x00\x00", "\x00\x01\x00\x00\x00\x00", "\x00\x01\x00\x00\x00\x01\x00", "a"} {
			alphabet = append(alphabet, contribution{id, data})
		}
	}
	seen := make(map[string][]contribution)
	record := func(list ...contribution) {
		var ikm []byte
		for _, c := range list {
			ikm = append(appendHeader(ikm, c.id, len(c.data)), c.data...)
		}
		if earlier, ok := seen[string(ikm)]; ok && !slices.Equal(earlier, list) {
			t.Errorf("%v and %v both give %x", earlier, list, ikm)
		}
		seen[string(ikm)] = slices.Clone(list)
	}
	record()
	for _, a := range alphabet {
		record(a)
		for _, b := range alphabet {
			record(a, b)
			for _, c := range alphabet {
				record(a, b, c)
			}
		}
	}
	if n := len(alphabet); len(seen) != 1+n+n*n+n*n*n {
		t.Errorf("%d encodings", len(seen))
	}
}

// Every buffer that held secret bytes is zero when Fill returns, whether it
// succeeds or not.
func TestBuffersAreWiped(t *testing.T) {
	for _, required := range []bool{false, true} {
		var held [][]byte
		hold := func(fill func([]byte) error) func([]byte) error {
			return func(p []byte) error {
				held = append(held, p)
				if cap(p) != len(p) {
					t.Errorf("a source can reach %d bytes behind its own", cap(p)-len(p))
				}
				return fill(p)
			}
		}
		fails, fine := false, good(2)
		o := &Options{}
		if required {
			o.Require = []string{"tpm"}
		}
		m := mixerOf(t, o,
			fakeTap(2, "rdrand", hold(good(1))),
			fakeTap(5, "tpm", hold(func(p []byte) error {
				if fails {
					return broken(p)
				}
				return fine(p)
			})))
		fill(t, m) // past the start-up tests
		held, fails = nil, true
		m.os = &fakeSource{"os", hold(good(3))}
		out := bytes.Repeat([]byte{7}, 32)
		err := m.Fill("test", out)
		if required != (err != nil) {
			t.Fatal(err)
		}
		if required && !bytes.Equal(out, bytes.Repeat([]byte{7}, 32)) {
			t.Error("a failed Fill wrote to its output")
		}
		if want := map[bool]int{true: 3, false: 4}[required]; len(held) != want {
			t.Fatalf("%d draws, want %d", len(held), want)
		}
		for i, p := range held {
			if !bytes.Equal(p, make([]byte, len(p))) {
				t.Errorf("required %v: the buffer of draw %d still holds %x", required, i, p)
			}
		}
	}
}

func TestSourcesAndRequire(t *testing.T) {
	taps := func() []*tap {
		slow := fakeTap(3, "rdseed", good(3))
		slow.optIn = "slow"
		gone := newTap(kind{id: 5, name: "tpm", size: 32, proof: 64, probe: func() (Source, error) {
			return nil, &off{state: Absent, reason: "not there", hint: "buy one"}
		}})
		return []*tap{plainTap(1, "unique", 8, counting()), fakeTap(2, "rdrand", good(2)), slow, gone}
	}
	for _, test := range []struct {
		sources, require []string
		active           string // the sources that contribute
	}{
		{nil, nil, "os unique rdrand"},
		{nil, []string{"rdseed"}, "os unique rdrand rdseed"},
		{[]string{}, nil, "os"},
		{[]string{"os"}, nil, "os"},
		{[]string{}, []string{"os"}, "os"},
		{[]string{"rdseed", "tpm"}, nil, "os rdseed"},
		{[]string{"unique"}, []string{"rdrand"}, "os unique rdrand"},
	} {
		m := mixerOf(t, &Options{Sources: test.sources, Require: test.require}, taps()...)
		fill(t, m)
		var active []string
		for _, s := range m.Status() {
			if s.State == Active {
				active = append(active, s.Name)
			}
			if s.Required != slices.Contains(test.require, s.Name) {
				t.Errorf("%+v: %s: required %v", test, s.Name, s.Required)
			}
			if drawn := s.State == Active && s.Name != "os"; drawn != (s.Draws == 1) {
				t.Errorf("%+v: %s is %s and was drawn on %d times", test, s.Name, s.State, s.Draws)
			}
		}
		if got := strings.Join(active, " "); got != test.active {
			t.Errorf("%+v: active: %s", test, got)
		}
	}

	_, err := newMixer(taps(), &Options{Require: []string{"tpm"}})
	var missing *RequireError
	if !errors.As(err, &missing) || *missing != (RequireError{"tpm", "not there", "buy one"}) {
		t.Errorf("an absent source required: %v", err)
	}
	for _, o := range []*Options{{Sources: []string{"dice"}}, {Require: []string{"dice"}}} {
		var unknown *UnknownSourceError
		if _, err := newMixer(taps(), o); !errors.As(err, &unknown) || unknown.Name != "dice" {
			t.Errorf("%+v: %v, want an UnknownSourceError", o, err)
		}
	}
	for _, name := range Names() { // known, if not necessarily here
		if _, err := New(&Options{Sources: []string{name}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A source that fails once is off for the process, whatever mixer asks.
func TestLatch(t *testing.T) {
	calls, fails := 0, false
	flaky := fakeTap(2, "rdrand", func(p []byte) error {
		calls++
		if fails {
			return errBroken
		}
		return good(uint64(calls))(p)
	})
	m := mixerOf(t, &Options{Require: []string{"rdrand"}}, flaky)
	fill(t, m)
	fails = true
	var missing *RequireError
	if err := m.Fill("test", make([]byte, 32)); !errors.As(err, &missing) || missing.Reason != "broken" {
		t.Fatalf("%v, want a RequireError", err)
	}
	fails = false
	before := calls
	if err := m.Fill("test", make([]byte, 32)); !errors.As(err, &missing) {
		t.Errorf("the source is back: %v", err)
	}
	if _, err := newMixer([]*tap{flaky}, &Options{Require: []string{"rdrand"}}); !errors.As(err, &missing) {
		t.Errorf("the source is back for another mixer: %v", err)
	}
	other := mixerOf(t, nil, flaky)
	fill(t, other) // not required, so it goes on without
	if calls != before {
		t.Error("the source was asked again")
	}
	s := other.Status()[1]
	if s.State != Failed || s.Reason != "broken" || s.Failures != 1 || s.Startup != "passed" || s.Draws != 1 {
		t.Errorf("%+v", s)
	}
}

func TestConcurrentFills(t *testing.T) {
	m := mixerOf(t, nil, newTap(kinds()[0]), fakeTap(2, "rdrand", good(1)))
	var (
		mu   sync.Mutex
		seen = make(map[[32]byte]bool)
		wg   sync.WaitGroup
	)
	for range 8 {
		wg.Go(func() {
			for range 50 {
				var out [32]byte
				if err := m.Fill("test", out[:]); err != nil {
					t.Error(err)
				}
				m.Status()
				mu.Lock()
				seen[out] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 8*50 {
		t.Errorf("%d different outputs of %d", len(seen), 8*50)
	}
}

// BenchmarkFill is the cost of one 32-byte key from all the sources that are
// drawn on unasked, a TPM excepted.
func BenchmarkFill(b *testing.B) {
	m, err := New(&Options{Sources: []string{"unique", "rdrand", "rndr"}})
	if err != nil {
		b.Fatal(err)
	}
	var out [32]byte
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Fill("benchmark", out[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLeftOut has sources that fail, and that are named and absent, be told, and
// those that are only not there not.
func TestLeftOut(t *testing.T) {
	absent := func(name string) *tap {
		return newTap(kind{name: name, probe: func() (Source, error) { return nil, &off{state: Absent, reason: "none"} }})
	}
	for _, c := range []struct {
		sources []string
		want    string
	}{
		{nil, "bad"},
		{[]string{"bad", "gone"}, "bad gone"},
		{[]string{"fine", "os"}, ""},
	} {
		m := mixerOf(t, &Options{Sources: c.sources}, fakeTap(1, "fine", good(1)), fakeTap(2, "bad", broken), absent("gone"))
		if list := m.LeftOut(); len(list) > 0 {
			t.Errorf("%v: before the first draw: %+v", c.sources, list)
		}
		fill(t, m)
		var names []string
		for _, s := range m.LeftOut() {
			names = append(names, s.Name)
			if s.Reason == "" {
				t.Errorf("%s: no reason", s.Name)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%v: %q, want %q", c.sources, got, c.want)
		}
	}
}
