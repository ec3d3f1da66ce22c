package salvage

import "testing"

// A slip is looked for at each byte up to 512, and then at each sector.
func TestSlipAt(t *testing.T) {
	for n, want := range map[int64]int64{0: 1, 1: 2, 511: 512, 512: 1024, 513: 1536, 512 + 32766: 16 << 20} {
		if got := slipAt(n); got != want {
			t.Errorf("place %d is %d away, not %d", n, got, want)
		}
	}
}
