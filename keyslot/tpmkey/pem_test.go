package tpmkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-tpm/tpm2"

	"bulla/internal/tpmdev"
	"bulla/keyslot"
)

// fakeKey is a key as a TPM could have made it, with what change does to it.
func fakeKey(t testing.TB, change func(*Key)) *Key {
	t.Helper()
	id, err := keyslot.NewHPKEIdentity(bytes.Repeat([]byte{9}, seedSize))
	if err != nil {
		t.Fatal(err)
	}
	k := &Key{
		recipient: id.Recipient(),
		srk:       append([]byte{0, 0x0b}, bytes.Repeat([]byte{1}, 32)...),
		ek:        append([]byte{0, 0x0b}, bytes.Repeat([]byte{2}, 32)...),
		sealed:    sealed{pin: true, unique: [32]byte{3}, private: bytes.Repeat([]byte{4}, 160)},
	}
	if change != nil {
		change(k)
	}
	return k
}

func fakeFile(t testing.TB, change func(*Key)) []byte {
	t.Helper()
	file, err := fakeKey(t, change).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

var fakes = map[string]func(*Key){
	"PIN":          nil,
	"no PIN":       func(k *Key) { k.pin = false },
	"PIN and PCRs": func(k *Key) { k.pcrs = &pcrPolicy{mask: maskOf([]int{0, 7, 23}), values: [32]byte{5}} },
	"PCRs":         func(k *Key) { k.pin, k.pcrs = false, &pcrPolicy{mask: maskOf([]int{7})} },
	"no ek":        func(k *Key) { k.ek = nil },
	"long":         func(k *Key) { k.private = bytes.Repeat([]byte{4}, maxPrivate) },
}

func TestFileRoundTrip(t *testing.T) {
	for name, change := range fakes {
		want := fakeFile(t, change)
		for how, file := range map[string][]byte{
			"as it is":     want,
			"CRLF":         bytes.ReplaceAll(want, []byte("\n"), []byte("\r\n")),
			"comments":     append([]byte("# created: today\n\n   # of: mine\n#\n"), want...),
			"blank around": append([]byte("\n\n"), append(want, "\n \n"...)...),
			"no line end":  bytes.TrimSpace(want),
		} {
			k, err := Parse(bytes.NewReader(file))
			if err != nil {
				t.Errorf("%s, %s: %v", name, how, err)
				continue
			}
			if got, err := k.Encode(); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %s: became\n%s", name, how, got)
			}
			if !IsKeyFile(file) {
				t.Errorf("%s, %s: not known for what it is", name, how)
			}
		}
	}
	k, err := Parse(bytes.NewReader(fakeFile(t, fakes["PIN and PCRs"])))
	if err != nil || !slices.Equal(k.PCRs(), []int{0, 7, 23}) || !k.NeedsPIN() {
		t.Errorf("%v, %v", k, err)
	}
}

// Other programs read these files: what the DER looks like is fixed here.
func TestGoldenDER(t *testing.T) {
	k := fakeKey(t, fakes["PIN and PCRs"])
	k.private = []byte{4, 4}
	der, err := k.der()
	if err != nil {
		t.Fatal(err)
	}
	policy := "0020" + "05" + strings.Repeat("00", 31) + "00000001" + "000b" + "03" + "810080"
	fields := strings.Join([]string{
		"06066781050a0105", // type
		"a146" + "3044" + // policy: PolicyPCR, PolicyAuthValue
			"3036" + "a0040202017f" + "a12e" + "042c" + policy +
			"300a" + "a0040202016b" + "a102" + "0400",
		"020440000001", // parent
		"0450" + "004e" + "0008000b" + "00000012" + "0020" + hex.EncodeToString(policyDigest(k.pcrs.command(0), true)) +
			"0010" + "0020" + hex.EncodeToString(k.unique[:]),
		"0404" + "0002" + "0404",
	}, "")
	want := fmt.Sprintf("3081%02x%s", len(fields)/2, fields)
	if got := hex.EncodeToString(der); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The policy digest of TPM2_PolicyPCR then TPM2_PolicyAuthValue, written
	// down once more (Part 3, 23.7 and 23.17).
	update := func(state []byte, parts ...string) []byte {
		h := sha256.New()
		h.Write(state)
		for _, p := range parts {
			b, _ := hex.DecodeString(p)
			h.Write(b)
		}
		return h.Sum(nil)
	}
	state := update(make([]byte, 32), "0000017f", policy[2*(pcrBodyDigest+32):], policy[2*pcrBodyDigest:2*(pcrBodyDigest+32)])
	if got := policyDigest(k.pcrs.command(0), false); !bytes.Equal(got, state) {
		t.Errorf("PolicyPCR: %x, want %x", got, state)
	}
	if got, want := policyDigest(k.pcrs.command(0), true), update(state, "0000016b"); !bytes.Equal(got, want) {
		t.Errorf("with PolicyAuthValue: %x, want %x", got, want)
	}
}

// derOf is the DER in a file, decoded, for tests to change.
func derOf(t *testing.T, file []byte) (k derKey, comments []byte) {
	t.Helper()
	block, _ := pem.Decode(file)
	if _, err := asn1.Unmarshal(block.Bytes, &k); err != nil {
		t.Fatal(err)
	}
	return k, file[:findPEM(file)]
}

func TestMalformedDER(t *testing.T) {
	for name, change := range map[string]func(k *derKey){
		"a loadable key":       func(k *derKey) { k.Type = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 3} },
		"another parent":       func(k *derKey) { k.Parent = 0x81000001 },
		"negative parent":      func(k *derKey) { k.Parent = -1 },
		"no PIN after all":     func(k *derKey) { k.EmptyAuth = true },
		"no policy":            func(k *derKey) { k.Policy = nil },
		"half a policy":        func(k *derKey) { k.Policy = k.Policy[:1] },
		"policy twice":         func(k *derKey) { k.Policy = append(k.Policy, k.Policy...) },
		"policy reversed":      func(k *derKey) { slices.Reverse(k.Policy) },
		"PolicyAuthValue body": func(k *derKey) { k.Policy[1].Body = []byte{0} },
		"PolicySigned":         func(k *derKey) { k.Policy[0].Code = int64(tpm2.TPMCCPolicySigned) },
		"empty PCR policy":     func(k *derKey) { k.Policy[0].Body = nil },
		"long PCR policy":      func(k *derKey) { k.Policy[0].Body = append(k.Policy[0].Body, 0) },
		"SHA-1 bank":           func(k *derKey) { k.Policy[0].Body[pcrBodyMask-2] = 0x04 },
		"two selections":       func(k *derKey) { k.Policy[0].Body[pcrBodyMask-4] = 2 },
		"no PCRs":              func(k *derKey) { copy(k.Policy[0].Body[pcrBodyMask:], []byte{0, 0, 0}) },
		"other PCRs":           func(k *derKey) { k.Policy[0].Body[pcrBodyMask] ^= 2 },
		"other values":         func(k *derKey) { k.Policy[0].Body[pcrBodyDigest] ^= 2 },
		"empty public":         func(k *derKey) { k.Public = nil },
		"short public":         func(k *derKey) { k.Public = k.Public[1:] },
		"long public":          func(k *derKey) { k.Public = append(k.Public, 0) },
		"exportable":           func(k *derKey) { k.Public[2+4+3] &^= 0x02 },
		"user with auth":       func(k *derKey) { k.Public[2+4+3] |= 0x40 },
		"no DA":                func(k *derKey) { k.Public[2+4+2] |= 0x04 },
		"empty private":        func(k *derKey) { k.Private = nil },
		"private of no bytes":  func(k *derKey) { k.Private = []byte{0, 0} },
		"private's size":       func(k *derKey) { k.Private[1]++ },
		"huge private":         func(k *derKey) { k.Private = append([]byte{4, 1}, make([]byte, maxPrivate+1)...) },
	} {
		k, comments := derOf(t, fakeFile(t, fakes["PIN and PCRs"]))
		change(&k)
		der, err := asn1.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		file := append(bytes.Clone(comments), pem.EncodeToMemory(&pem.Block{Type: pemLabel, Bytes: der})...)
		if got, err := Parse(bytes.NewReader(file)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	file := fakeFile(t, nil)
	block, _ := pem.Decode(file)
	for n := range block.Bytes {
		if _, err := parseDER(block.Bytes[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", n, len(block.Bytes), err)
		}
	}
	if _, err := parseDER(append(block.Bytes, 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte behind: %v", err)
	}
}

func TestMalformedFile(t *testing.T) {
	good := string(fakeFile(t, nil))
	begin := strings.Index(good, pemBegin)
	comments, block := good[:begin], good[begin:]
	recipient, rest, _ := strings.Cut(comments, "\n")
	for name, file := range map[string]string{
		"empty":                "",
		"comments alone":       comments,
		"another label":        strings.ReplaceAll(good, pemLabel, "PRIVATE KEY"),
		"cut off":              good[:len(good)-10],
		"no end":               good[:strings.Index(good, "-----END")],
		"text above":           "hello\n" + good,
		"text below":           good + "hello\n",
		"two keys":             good + block,
		"PEM headers":          comments + strings.Replace(block, pemBegin+"\n", pemBegin+"\nProc-Type: 4,ENCRYPTED\n\n", 1),
		"folded otherwise":     comments + strings.Replace(block, "-\nMI", "-\nM\nI", 1),
		"a changed letter":     comments + strings.Replace(block, "BAQE", "BAQ!", 1),
		"no recipient":         rest + block,
		"recipient of another": "# recipient: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n" + rest + block,
		"cut recipient":        recipient[:100] + "\n" + rest + block,
		"two recipients":       recipient + "\n" + good,
		"no srk":               strings.Replace(good, "# srk:", "# crk:", 1),
		"srk is no name":       strings.Replace(good, "# srk: 000b", "# srk: 000c", 1),
		"short srk":            strings.Replace(good, "# srk: 000b01", "# srk: 000b", 1),
		"srk is no hex":        strings.Replace(good, "# srk: 000b01", "# srk: 000b0x", 1),
		"two srk":              strings.Replace(good, "# ek:", "# srk:", 1),
		"ek is no name":        strings.Replace(good, "# ek: 000b02", "# ek: 000b", 1),
		"too long":             strings.Repeat("#\n", MaxFile) + good,
	} {
		_, err := Parse(strings.NewReader(file))
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken")
	if _, err := Parse(iotest.ErrReader(broken)); !errors.Is(err, broken) || errors.Is(err, ErrMalformed) {
		t.Errorf("a broken reader: %v", err)
	}
	for _, file := range []string{"", comments, "-----BEGIN PRIVATE KEY-----\n", "AGE-SECRET-KEY-PQ-1", " " + pemBegin} {
		if IsKeyFile([]byte(file)) {
			t.Errorf("%q is a key file", file)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Setenv(tpmdev.EnvDevice, t.TempDir()) // no TPM: options are looked at first
	pin := []byte("1234")
	for name, o := range map[string]*Options{
		"nil":          nil,
		"zero":         {},
		"both":         {PIN: pin, NoPIN: true},
		"too long":     {PIN: bytes.Repeat([]byte{'1'}, MaxPIN+1)},
		"zero byte":    {PIN: []byte("12\x0034")},
		"zero at end":  {PIN: []byte("1234\x00")},
		"PCR -1":       {PIN: pin, PCRs: []int{-1}},
		"PCR 24":       {PIN: pin, PCRs: []int{1, 24}},
		"PCRs, no PIN": {PCRs: []int{7}},
	} {
		_, err := Seal(t.Context(), make([]byte, seedSize), o)
		if err == nil || errors.Is(err, tpmdev.ErrAbsent) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "PCR ") == errors.Is(err, ErrPIN) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Seal(t.Context(), make([]byte, seedSize), &Options{PIN: pin}); !errors.Is(err, tpmdev.ErrAbsent) {
		t.Errorf("good options: %v", err)
	}
	if _, err := Seal(t.Context(), make([]byte, seedSize-1), &Options{PIN: pin}); err == nil || errors.Is(err, tpmdev.ErrAbsent) {
		t.Errorf("a short seed: %v", err)
	}
	if got, err := checkPCRs([]int{23, 7, 0, 7}); err != nil || !slices.Equal(got, []int{0, 7, 23}) {
		t.Errorf("%v, %v", got, err)
	}
}

// No verb prints anything but the recipient.
func TestFormat(t *testing.T) {
	i := fakeKey(t, nil).Identity(nil)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, i); got != "TPM key of "+i.Recipient().Canonical() {
			t.Errorf("%s: %.60s", verb, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, change := range fakes {
		f.Add(fakeFile(f, change))
	}
	f.Add([]byte(pemBegin + "\n"))
	f.Add([]byte("# recipient: age1pq1\n# srk: 000b\n" + pemBegin + "\nMAA=\n-----END TSS2 PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		k, err := Parse(bytes.NewReader(file))
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		// What is accepted has one encoding, and is accepted again.
		again, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(bytes.NewReader(again))
		if err != nil || !reflect.DeepEqual(back, k) {
			t.Fatalf("%v\n%s", err, again)
		}
	})
}

// FuzzDER goes past the comments and the Base64, which a fuzzer cannot guess.
func FuzzDER(f *testing.F) {
	for _, change := range fakes {
		block, _ := pem.Decode(fakeFile(f, change))
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		s, err := parseDER(der)
		if err != nil {
			return
		}
		again, err := s.der()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseDER(again); err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%x became %x: %v", der, again, err)
		}
	})
}
