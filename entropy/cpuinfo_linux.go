//go:build amd64 && !purego

package entropy

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// cpuinfo is the first processor's part of /proc/cpuinfo. Linux shows the same
// flags for all.
var cpuinfo = sync.OnceValues(func() (map[string]string, error) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, err
	}
	return parseCPUInfo(text), nil
})

// parseCPUInfo reads the lines "key : value" up to the first empty one.
func parseCPUInfo(text []byte) map[string]string {
	fields := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() && strings.TrimSpace(lines.Text()) != "" {
		key, value, _ := strings.Cut(lines.Text(), ":")
		fields[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return fields
}

// kernelShows says whether the kernel lists the instruction among the
// processor's flags.
func kernelShows(instruction string) (bool, error) {
	fields, err := cpuinfo()
	if err != nil {
		return false, err
	}
	flags, ok := fields["flags"]
	if !ok {
		return false, errors.New("/proc/cpuinfo lists no flags")
	}
	return slices.Contains(strings.Fields(flags), instruction), nil
}

// microcode is the revision of the processor's microcode, or 0 if it is not
// known. In a virtual machine it is what the host makes up.
func microcode() uint32 {
	fields, err := cpuinfo()
	if err != nil {
		return 0
	}
	revision, _ := strconv.ParseUint(fields["microcode"], 0, 32)
	return uint32(revision)
}

// leak adds to a source's detail that other cores can read along.
func leak() string {
	state, _ := os.ReadFile("/sys/devices/system/cpu/vulnerabilities/srbds")
	if !bytes.HasPrefix(state, []byte("Vulnerable")) {
		return ""
	}
	return "; other cores can read its output (CVE-2020-0543)"
}
