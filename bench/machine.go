//go:build unix

package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Machine is what was measured on, and with what. What cannot be found out is "".
type Machine struct {
	Processor   string            `json:"processor"`
	Cores       int               `json:"cores"`
	Memory      int64             `json:"memory"`
	Kernel      string            `json:"kernel"`
	FileSystems map[string]string `json:"file_systems"` // of the places
	Go          string            `json:"go"`
	Tools       map[string]string `json:"tools"` // their versions; without those that are missing
	Date        string            `json:"date"`  // of the beginning
	Revision    string            `json:"revision"`
}

// tools is how each tool says its version.
var tools = map[string]string{
	"age": "age --version", "cat": "cat --version", "cp": "cp --version", "dd": "dd --version", "gpg": "gpg --version", "openssl": "openssl version",
	"par2": "par2 -V", "rclone": "rclone version", "sha256sum": "sha256sum --version", "zstd": "zstd --version",
}

var versionIn = regexp.MustCompile(`\d+(\.\d+)+[\w-]*`)

func thisMachine(places []place) Machine {
	m := Machine{
		Processor:   field("/proc/cpuinfo", "model name"),
		Cores:       runtime.NumCPU(),
		Kernel:      output("uname -s -r -m"),
		FileSystems: map[string]string{},
		Go:          runtime.Version(),
		Tools:       map[string]string{},
		Date:        time.Now().UTC().Format(time.DateOnly),
		Revision:    output("git describe --always --dirty --abbrev=12 --exclude '*'"),
	}
	kib, _ := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64)
	m.Memory = kib << 10
	for _, p := range places {
		m.FileSystems[p.name] = output("df --output=fstype '" + p.dir + "' | tail -1")
	}
	for tool, line := range tools {
		if missing(tool) == "" {
			m.Tools[tool] = versionIn.FindString(output(line))
		}
	}
	return m
}

// missing says that a tool is missing, or is "".
func missing(tool string) string {
	if _, err := exec.LookPath(tool); err != nil {
		return tool + " is not installed"
	}
	return ""
}

// field is the first value of a key in a file such as /proc/cpuinfo.
func field(file, key string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if k, value, _ := strings.Cut(line, ":"); strings.TrimSpace(k) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func output(line string) string {
	out, _ := exec.Command("sh", "-c", line+" 2>/dev/null").Output()
	return strings.TrimSpace(string(out))
}

// String is the machine in a sentence or two.
func (m *Machine) String() string {
	var with []string
	for _, tool := range slices.Sorted(maps.Keys(m.Tools)) {
		with = append(with, tool+" "+m.Tools[tool])
	}
	return fmt.Sprintf("%s, %d cores, %d GiB of memory; %s; %s. The disk has %s, the memory %s. Measured on %s at revision %s, with %s.",
		m.Processor, m.Cores, (m.Memory+1<<29)>>30, m.Kernel, m.Go, m.FileSystems["disk"], m.FileSystems["tmpfs"], m.Date, m.Revision, strings.Join(with, ", "))
}
