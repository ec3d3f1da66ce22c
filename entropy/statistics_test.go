//go:build !windows

package entropy

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bulla/internal/tpmdev/swtpmtest"
)

// mixed reads a mixer's output.
type mixed struct{ *Mixer }

func (m mixed) Read(p []byte) (int, error) {
	n := min(len(p), MaxFill)
	if n == 0 {
		return 0, nil
	}
	return n, m.Fill("statistics", p[:n])
}

// The usual programs find nothing in what the mixer and each source give. That
// is all they can find: they pass AES in counter mode under a zero key too.
//
//	apt-get install rng-tools5 ent
func TestStatistics(t *testing.T) {
	swtpmtest.Need(t, "rngtest")
	swtpmtest.Need(t, "ent")
	type input struct {
		name   string
		from   io.Reader
		blocks int // of 20,000 bits, for rngtest
	}
	inputs := []input{{"mixer", mixed{mixerOf(t, &Options{Sources: []string{"unique", "rdrand", "rndr"}}, machine()...)}, 1000}}
	for name, blocks := range map[string]int{"os": 1000, "rdrand": 1000, "rndr": 1000, "rdseed": 40} {
		r, err := Raw(name)
		if err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		inputs = append(inputs, input{name, r, blocks})
	}
	if _, err := exec.LookPath("swtpm"); err == nil || os.Getenv("CI") == "true" {
		inputs = append(inputs, input{"tpm", &rawReader{tap: tpmTap(swtpmtest.Start(t), true)}, 10})
	}
	for _, in := range inputs {
		t.Run(in.name, func(t *testing.T) {
			data := make([]byte, in.blocks*2500+4)
			if _, err := io.ReadFull(in.from, data); err != nil {
				t.Fatal(err)
			}
			rngtest(t, data, in.blocks)
			if in.blocks == 1000 {
				ent(t, data)
			}
		})
	}
}

var rngtestFailures = regexp.MustCompile(`FIPS 140-2 failures: (\d+)`)

// rngtest runs the tests that FIPS 140-2 once had. Of good blocks, 0.08 % fail:
// ten of a thousand come once in ten million runs.
func rngtest(t *testing.T, data []byte, blocks int) {
	cmd := exec.Command("rngtest", "-c", strconv.Itoa(blocks))
	cmd.Stdin = bytes.NewReader(data)
	out, _ := cmd.CombinedOutput() // fails if one block does
	found := rngtestFailures.FindSubmatch(out)
	if found == nil {
		t.Fatalf("rngtest:\n%s", out)
	}
	if n, _ := strconv.Atoi(string(found[1])); n > 10 {
		t.Errorf("rngtest: %d of %d blocks failed", n, blocks)
	}
}

// ent runs a chi-squared test of the byte values: 255 degrees of freedom, so
// 255 on average, and beyond 130 to 400 once in tens of millions of runs.
func ent(t *testing.T, data []byte) {
	cmd := exec.Command("ent", "-t")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	// 0,File-bytes,Entropy,Chi-square,Mean,…
	// 1,2500004,7.999923,267.1,…
	_, line, _ := strings.Cut(string(out), "\n")
	fields := strings.Split(line, ",")
	if len(fields) < 4 {
		t.Fatalf("ent:\n%s", out)
	}
	if chi, err := strconv.ParseFloat(fields[3], 64); err != nil || chi < 130 || chi > 400 {
		t.Errorf("ent: chi-squared %s, %v", fields[3], err)
	}
}
