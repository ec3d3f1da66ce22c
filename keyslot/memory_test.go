package keyslot

import (
	"errors"
	"testing"
	"testing/fstest"
)

// TestCheckMemory has 256 MiB fit control groups of every kind, or not.
func TestCheckMemory(t *testing.T) {
	const need = 256 << 20
	for _, tt := range []struct {
		name  string
		files map[string]string
		limit uint64 // in MiB, of the error; 0 for none
	}{
		{"another system", nil, 0},
		{"cgroup v1", map[string]string{"proc/self/cgroup": "4:memory:/a\n"}, 0},
		{"the top group", map[string]string{"proc/self/cgroup": "0::/\n"}, 0},
		{"no limit", map[string]string{"proc/self/cgroup": "0::/\n", cgroups + "/memory.max": "max\n"}, 0},
		{"just so", map[string]string{"proc/self/cgroup": "0::/\n", cgroups + "/memory.max": "276824064\n"}, 0},
		{"a byte less", map[string]string{"proc/self/cgroup": "0::/\n", cgroups + "/memory.max": "276824063\n"}, 263},
		{"its own", map[string]string{"proc/self/cgroup": "1:name=systemd:/\n0::/a/b\n", cgroups + "/a/b/memory.max": "134217728\n"}, 128},
		{"one above", map[string]string{"proc/self/cgroup": "0::/a/b\n", cgroups + "/a/b/memory.max": "max\n", cgroups + "/a/memory.max": "134217728\n"}, 128},
		{"outside of the namespace", map[string]string{"proc/self/cgroup": "0::/../../x\n", cgroups + "/memory.max": "134217728\n"}, 128},
		{"swap", map[string]string{"proc/self/cgroup": "0::/\n", cgroups + "/memory.max": "134217728\n", "proc/meminfo": "SwapTotal: 4 kB\nSwapFree:    262144 kB\n"}, 0},
		{"no swap left", map[string]string{"proc/self/cgroup": "0::/\n", cgroups + "/memory.max": "134217728\n", "proc/meminfo": "SwapFree: 1024 kB\n"}, 129},
		{"no swap for it", map[string]string{"proc/self/cgroup": "0::/\n", cgroups + "/memory.max": "134217728\n", cgroups + "/memory.swap.max": "0\n",
			"proc/meminfo": "SwapFree: 262144 kB\n"}, 128},
	} {
		root := fstest.MapFS{"proc/meminfo": {Data: []byte("SwapFree: 0 kB\n")}}
		for name, text := range tt.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		err := checkMemory(root, need)
		e, ok := errors.AsType[*MemoryError](err)
		if ok != (tt.limit > 0) || ok && (e.Need != need || e.Limit>>20 != tt.limit) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
