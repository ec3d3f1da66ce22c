//go:build !windows

package tpmkey

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"bulla/internal/tpmdev/swtpmtest"
)

// tools runs tpm2-tools, and openssl, in a directory of their own.
type tools struct {
	t    *testing.T
	dir  string
	tcti string
}

func newTools(t *testing.T, e *swtpmtest.Emulator) tools {
	t.Helper()
	for _, name := range []string{"tpm2_load", "tpm2_unseal", "tpm2_policypcr", "openssl"} {
		swtpmtest.Need(t, name)
	}
	return tools{t, t.TempDir(), e.TCTI}
}

func (x tools) run(name string, args ...string) []byte {
	x.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = x.dir
	cmd.Env = append(os.Environ(), "TPM2TOOLS_TCTI="+x.tcti)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		x.t.Fatalf("%s %q: %v\n%s", name, args, err, errs.Bytes())
	}
	return out
}

func (x tools) write(name string, b []byte) {
	x.t.Helper()
	if err := os.WriteFile(filepath.Join(x.dir, name), b, 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// The file is a TSS2 PRIVATE KEY: if this program disappears, tpm2-tools load the
// file as it is, comments and all, and give the seed back for the PIN.
func TestToolsLoadTheFile(t *testing.T) {
	e := start(t)
	x := newTools(t, e)
	for _, o := range []Options{{PIN: []byte("1234")}, {NoPIN: true}} {
		x.write("key.pem", encode(t, seal(t, &o)))
		x.run("tpm2_load", "-r", "key.pem", "-c", "key.ctx")
		x.run("tpm2_flushcontext", "-t")
		args := []string{"-c", "key.ctx"}
		if !o.NoPIN {
			args = append(args, "-p", string(o.PIN))
		}
		if got := x.run("tpm2_unseal", args...); !bytes.Equal(got, testSeed) {
			t.Errorf("%+v: unsealed %q", o, got)
		}
		x.run("tpm2_flushcontext", "-t")
	}
}

// The tools' reader of these files knows no policies. The two halves come out
// with openssl, and load under the storage root key of template H-2.
func TestToolsLoadTheBlobs(t *testing.T) {
	e := start(t)
	x := newTools(t, e)
	k := seal(t, &Options{PIN: []byte("1234"), PCRs: []int{7}})
	x.write("key.pem", encode(t, k))
	block, _ := pem.Decode(encode(t, k))
	// Where the last two fields begin shows in the output of openssl asn1parse.
	var field asn1.RawValue
	if _, err := asn1.Unmarshal(block.Bytes, &field); err != nil {
		t.Fatal(err)
	}
	offset, rest := len(block.Bytes)-len(field.Bytes), field.Bytes
	for _, name := range []string{"type", "policy", "parent", "pub", "priv"} {
		next, err := asn1.Unmarshal(rest, &field)
		if err != nil {
			t.Fatal(err)
		}
		if field.Tag == asn1.TagOctetString {
			x.run("openssl", "asn1parse", "-in", "key.pem", "-noout", "-strparse", strconv.Itoa(offset), "-out", name)
		}
		offset, rest = offset+len(rest)-len(next), next
	}
	x.run("tpm2_createprimary", "-C", "o", "-g", "sha256", "-G", "ecc256:null:aes128cfb", "-c", "srk.ctx",
		"-a", "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda")
	x.run("tpm2_flushcontext", "-t")
	x.run("tpm2_load", "-C", "srk.ctx", "-u", "pub", "-r", "priv", "-c", "key.ctx")
	x.run("tpm2_flushcontext", "-t")
	x.run("tpm2_startauthsession", "--policy-session", "-S", "session.ctx")
	x.run("tpm2_policypcr", "-S", "session.ctx", "-l", "sha256:7")
	x.run("tpm2_policyauthvalue", "-S", "session.ctx")
	if got := x.run("tpm2_unseal", "-c", "key.ctx", "-p", "session:session.ctx+1234"); !bytes.Equal(got, testSeed) {
		t.Errorf("unsealed %q", got)
	}
}

// tpm2_clear loses the key, and it is said why.
func TestToolsClear(t *testing.T) {
	e := start(t)
	swtpmtest.Need(t, "tpm2_clear")
	k := seal(t, &Options{NoPIN: true})
	newTools(t, e).run("tpm2_clear")
	wantKind(t, "cleared", open(t, k), ErrCleared)
}
