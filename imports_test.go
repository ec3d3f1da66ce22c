package bulla_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Which packages of this module a package may import. Imports point one way:
// the bytes know of no keys, the streams of no kind of key, the keys of no
// streams, and nothing of the commands. A package that is not here has to be thought about first.
var mayImport = map[string][]string{
	"format":             {"internal/fullio"},
	"internal/bech32":    {},
	"internal/console":   {"internal/once", "internal/safetext"},
	"internal/fullio":    {},
	"internal/interrupt": {},
	"internal/locked":    {},
	"internal/once":      {},
	"internal/parallel":  {},
	"internal/recent":    {},
	"internal/ring":      {"internal/fullio"},
	"internal/safetext":  {},
	"internal/tpmdev":    {},
	"internal/seal":      {"format", "internal/locked"},
	"internal/zseek":     {"format", "internal/fullio", "internal/recent", "internal/ring"},
	"internal/salvage":   {"format", "internal/ring", "internal/seal", "internal/zseek"},
	"entropy":            {"internal/storage", "internal/tpmdev"},
	"slot":               {"entropy", "format"},
	"set":                {"entropy", "format", "internal/parallel", "internal/ring", "internal/zseek", "keyslot", "stream"},
	"parity":             {"format", "internal/fullio", "internal/parallel"},
	"internal/xwing":     {"entropy"},
	"keyslot":            {"entropy", "format", "internal/bech32", "internal/once", "internal/xwing", "slot"},
	"keyslot/agekey":     {"entropy", "format", "internal/once", "internal/safetext", "keyslot", "slot"},
	"keyslot/epoch":      {"entropy", "format", "internal/once", "keyslot", "keyslot/agekey", "keyslot/tpmkey", "slot"},
	"keyslot/keyfile":    {"format", "keyslot", "keyslot/agekey", "keyslot/epoch", "keyslot/tpmkey", "slot"},
	"keyslot/tpmkey":     {"entropy", "format", "internal/once", "internal/tpmdev", "keyslot", "slot"},
	"stream":             {"entropy", "format", "internal/fullio", "internal/locked", "internal/ring", "internal/salvage", "internal/seal", "internal/zseek", "slot"},

	// Beside the container.
	"spec":              {},
	"origin":            {"format", "internal/fullio", "internal/parallel", "internal/recent", "internal/ring", "set"},
	"internal/archive":  {"internal/fullio"},
	"internal/picture":  {"format"},
	"internal/browse":   {"internal/archive", "internal/console", "internal/safetext"},
	"internal/mount":    {"internal/archive"},
	"internal/job":      {"entropy", "format", "internal/parallel", "internal/safetext", "internal/storage", "internal/zseek", "keyslot", "parity", "set", "stream"},
	"internal/producer": {"internal/console", "internal/interrupt", "internal/safetext"},
	"internal/storage":  {"internal/fullio", "internal/safetext"},

	// Stores: what links the network, and the command alone may import.
	"internal/storage/object": {"internal/fullio", "internal/parallel", "internal/safetext", "internal/storage"},
	"internal/storage/s3":     {"internal/storage", "internal/storage/object"},
	"internal/storage/web":    {"internal/storage", "internal/storage/object"},

	// For tests.
	"internal/job/slurmtest":     {},
	"internal/storage/s3/s3test": {},
	"internal/tpmdev/swtpmtest":  {"internal/tpmdev"},
	"internal/vectors":           {"format", "keyslot", "keyslot/agekey"},
}

// programs import what they like, and are imported by nobody.
var programs = []string{"bench", "cmd/bulla", "demo", "internal/campaign", "internal/campaign"}

// forTests are imported by tests alone.
var forTests = []string{"internal/vectors", "internal/job/slurmtest", "internal/tpmdev/swtpmtest", "internal/storage/s3/s3test"}

// Whose affair a package outside of this module is, apart from benchmarks, which
// measure what they like. It stands for all below it.
var onlyIn = map[string][]string{
	"crypto/rand":                      {"entropy", "internal/storage", "internal/storage/object"}, // what is random for a key comes from the mixer; the name of a file or an upload is no key
	"math/rand":                        {"internal/campaign"},
	"filippo.io/age":                   {"keyslot/agekey"},
	"github.com/aws":                   {"internal/storage/s3"},
	"github.com/hanwen/go-fuse":        {"internal/mount"},
	"github.com/klauspost/compress":    {"internal/zseek"},
	"github.com/klauspost/reedsolomon": {"parity"},
	"github.com/google/go-tpm":         {"entropy", "internal/tpmdev", "internal/tpmdev/swtpmtest", "keyslot/tpmkey"},
	"github.com/spf13":                 {"cmd/bulla"},
	"github.com/hiddeco/sshsig":        {"origin"},
	"testing":                          {"internal/job/slurmtest", "internal/storage/s3/s3test", "internal/tpmdev/swtpmtest"},
	"unsafe":                           {},
}

const module = "bulla/"

func TestImports(t *testing.T) {
	for _, platform := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64", "freebsd/386"} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			for _, p := range list(t, platform) {
				checkImports(t, strings.TrimPrefix(p.ImportPath, module), p.Imports)
			}
		})
	}
}

func checkImports(t *testing.T, name string, imports []string) {
	program := slices.Contains(programs, name)
	allowed, known := mayImport[name]
	if !known && !program {
		t.Errorf("%s is not in the table of what may import what", name)
	}
	for _, path := range imports {
		ours, ok := strings.CutPrefix(path, module)
		switch {
		case ok && (slices.Contains(programs, ours) || slices.Contains(forTests, ours)):
			t.Errorf("%s imports %s, which nothing but tests may", name, ours)
		case program:
		case ok && !slices.Contains(allowed, ours):
			t.Errorf("%s imports %s", name, ours)
		case !ok && name == "format" && strings.Contains(path, "."):
			t.Errorf("%s imports %s, which is not of the standard library", name, path)
		}
		for outside, in := range onlyIn {
			if (path == outside || strings.HasPrefix(path, outside+"/")) && name != "bench" && !slices.Contains(in, name) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

// A program that uses the packages for programs links no network and no client of a store:
// that is the command's affair.
func TestLinksNoNetwork(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./format", "./stream", "./keyslot/...", "./entropy", "./slot").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if p == "net/http" || p == "crypto/tls" || strings.HasPrefix(p, "github.com/aws/") {
			t.Errorf("they link %s", p)
		}
	}
}

// The tables speak of what there is.
func TestImportTables(t *testing.T) {
	var there []string
	for _, p := range list(t, "linux/amd64") {
		there = append(there, strings.TrimPrefix(p.ImportPath, module))
	}
	for name, may := range mayImport {
		for _, p := range append(may, name) {
			if !slices.Contains(there, p) {
				t.Errorf("the table for %s speaks of %s, which is not there", name, p)
			}
		}
	}
}

type goPackage struct {
	ImportPath string
	GoFiles    []string
	Imports    []string // of the package, not of its tests
}

// list is every package of the module that has more than tests.
func list(t *testing.T, platform string) (all []goPackage) {
	t.Helper()
	goos, goarch, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", "list", "-json=ImportPath,GoFiles,Imports", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(out); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 5 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}
