package bulla_test

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/job"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/keyslot/epoch"
	"bulla/keyslot/tpmkey"
	"bulla/set"
	"bulla/slot"
	"bulla/stream"
)

// A witness is a recipient and an identity that keeps the CEK, to look for it.
type witness struct{ cek []byte }

func (w *witness) Type() format.SlotType          { return 0x7f00 }
func (w *witness) Canonical() string              { return "witness" }
func (w *witness) BodySize() int                  { return 1 }
func (w *witness) Accepts(t format.SlotType) bool { return t == w.Type() }
func (w *witness) Wrap(_ context.Context, _ *entropy.Mixer, _ *format.Preamble, cek []byte) ([]byte, error) {
	w.cek = bytes.Clone(cek)
	return []byte{0}, nil
}
func (w *witness) Unwrap(context.Context, *format.Slot, *format.Preamble) ([]byte, error) {
	return bytes.Clone(w.cek), nil
}

// shows reports whether text has the beginning of a secret in it, however written.
func shows(text string, secret []byte) bool {
	b := secret[:8]
	array := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}")
	for _, form := range []string{
		string(b), fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), fmt.Sprintf("% x", b), strings.Trim(fmt.Sprint(b), "[]"), array,
		strings.Trim(fmt.Sprintf("%q", b), `"`), base64.StdEncoding.EncodeToString(b[:6]),
	} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// TestNothingShows formats all that has secrets in it, by every verb, from outside and in a
// value of another type: no secret is in what is written.
func TestNothingShows(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, m := t.Context(), entropy.Default()
	secret := make([]byte, 32)
	must(m.Fill("test", secret))
	passphrase := func(context.Context) ([]byte, error) { return bytes.Clone(secret), nil }

	hpke, err := keyslot.NewHPKEIdentity(secret)
	must(err)
	kek, err := keyslot.NewKEK(secret)
	must(err)
	phrase, err := keyslot.NewPassphraseRecipient(secret, &keyslot.PassphraseOptions{KiB: 32, Passes: 1})
	must(err)
	asked := keyslot.NewPassphraseIdentity(passphrase)
	const ageText = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
	x25519, err := agekey.ParseIdentity(ageText, nil)
	must(err)
	tag, err := keyslot.ParseRecipient(hpke.Recipient().Canonical())
	must(err)
	keeper, err := epoch.New(ctx, m, epoch.Span{Every: epoch.Month, From: 600, To: 612}, 18_500, epoch.Passphrase, &epoch.Secrets{Passphrase: passphrase})
	must(err)

	// A container that all of them open, and what is open of it.
	w := &witness{}
	var container bytes.Buffer
	writer, err := stream.NewWriter(ctx, &container, []stream.Recipient{w, kek, phrase, hpke.Recipient()}, nil)
	must(err)
	_, err = writer.Write(make([]byte, 200_000))
	must(err)
	must(writer.Close())
	src := bytes.NewReader(container.Bytes())
	for _, id := range []stream.Identity{asked, kek, hpke} {
		r, err := stream.NewReaderAt(ctx, src, src.Size(), []stream.Identity{id}, nil)
		must(err)
		r.Close()
	}
	identities := []stream.Identity{w}
	reader, err := stream.NewReader(ctx, bytes.NewReader(container.Bytes()), identities, nil)
	must(err)
	defer reader.Close()
	readerAt, err := stream.NewReaderAt(ctx, src, src.Size(), identities, nil)
	must(err)
	defer readerAt.Close()
	editor, err := stream.EditHead(ctx, src, src.Size(), identities, nil)
	must(err)
	defer editor.Close()
	opener, err := stream.NewChunkOpener(ctx, container.Bytes(), identities)
	must(err)
	defer opener.Close()
	grant, err := readerAt.Grant(stream.Range{Offset: 10, Length: 1000}, stream.Range{Offset: 150_000, Length: 50_000})
	must(err)
	defer grant.Close()
	live, err := stream.NewWriter(ctx, new(bytes.Buffer), []stream.Recipient{w}, nil)
	must(err)
	live.Abort(nil)
	defer live.Close()
	unfinished := &set.Unfinished{Shape: set.Shape{Public: hpke.Recipient().Canonical()}, MACKey: [32]byte(secret)}

	secrets := [][]byte{secret, w.cek, []byte(ageText[16:]), []byte(hpke.String()[18:])}
	prk, err := hkdf.Extract(sha512.New, w.cek, container.Bytes()[:64])
	must(err)
	node, err := hkdf.Expand(sha512.New, prk, "bulla/v2 payload", 64)
	must(err)
	secrets = append(secrets, prk, node)
	values := []any{
		hpke, kek, phrase, asked, x25519, tag, keyslot.AnyPassphrase{},
		keeper, keeper.Identity(&epoch.Secrets{Passphrase: passphrase}),
		tpmkey.Options{PIN: secret}, &tpmkey.Options{PIN: secret},
		writer, live, reader, readerAt, editor, opener, grant, unfinished, *unfinished,
		&job.Secret{MACKey: secret}, job.Secret{Identity: hpke},
		&stream.Edit{Add: []stream.Recipient{kek, phrase}}, &stream.NoKeyError{Identities: 1},
		&stream.RecipientNotFoundError{Recipient: kek},
	}
	for _, v := range values {
		forms := []any{v, struct{ Key any }{v}, []any{v}, map[string]any{"key": v}, fmt.Errorf("about %v", v)}
		if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !holdsLock(p.Elem()) {
			forms = append(forms, p.Elem().Interface()) // what is behind the pointer
		}
		for _, form := range forms {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
				text := fmt.Sprintf(verb, form)
				for i, s := range secrets {
					if shows(text, s) {
						t.Errorf("%T by %s shows secret %d: %.300s", form, verb, i, text)
					}
				}
			}
		}
	}
	if !shows(fmt.Sprintf("%v", struct{ b []byte }{secret}), secret) || !shows(fmt.Sprintf("%#v", w), w.cek) {
		t.Error("the test does not see a secret that is there")
	}

	// Whatever wraps or unwraps is in the list, or has a reason not to be.
	covered := map[string]string{
		"keyslot/agekey.encryptedFile": "its own test opens one", "keyslot/agekey.Recipient": "it is public",
		"keyslot/tpmkey.Identity": "its own test has a TPM", "keyslot/keyfile.tpmIdentity": "it embeds one",
		"keyslot/keyfile.Keeper": "it embeds an epoch.Identity", "keyslot/epoch.Recipient": "it is public",
	}
	for _, v := range values {
		typ := reflect.TypeOf(v)
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		covered[strings.TrimPrefix(typ.PkgPath(), module)+"."+typ.Name()] = "here"
	}
	for name := range typesWithSecrets(t) {
		if covered[name] == "" {
			t.Errorf("%s is not tried", name)
		}
	}
}

// holdsLock reports whether go vet refuses a copy of v.
func holdsLock(v reflect.Value) bool {
	for i := range v.NumField() {
		if p := v.Field(i).Type().PkgPath(); p == "sync" || p == "sync/atomic" || p == module+"internal/once" {
			return true
		}
	}
	return false
}

// typesWithSecrets lists the types of the packages of keys that wrap or unwrap.
func typesWithSecrets(t *testing.T) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	err := filepath.WalkDir("keyslot", func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !slices.Contains([]string{"Wrap", "Unwrap"}, f.Name.Name) || f.Type.Params.NumFields() < 3 {
				continue
			}
			typ := f.Recv.List[0].Type
			if p, ok := typ.(*ast.StarExpr); ok {
				typ = p.X
			}
			found[filepath.ToSlash(filepath.Dir(path))+"."+typ.(*ast.Ident).Name] = true
		}
		return nil
	})
	if err != nil || len(found) < 8 {
		t.Fatal(errors.Join(err, fmt.Errorf("only %d types", len(found))))
	}
	return found
}

var (
	_ slot.Recipient = (*witness)(nil)
	_ slot.Identity  = (*witness)(nil)
)
