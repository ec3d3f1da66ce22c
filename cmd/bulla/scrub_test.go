package main

import "testing"

// A file is scrubbed by all workers there may be, and so is a set of one volume.
func TestWorkersEach(t *testing.T) {
	for _, c := range []struct{ jobs, parts, want int }{
		{1, 0, 1}, {2, -1, 2}, {2, 0, 2}, {2, 1, 2}, {8, 1, 8}, {2, 2, 1}, {8, 3, 3}, {8, 8, 1}, {2, 1000, 1},
	} {
		if got := workersEach(c.jobs, c.parts); got != c.want {
			t.Errorf("%d jobs, %d parts: %d workers each, want %d", c.jobs, c.parts, got, c.want)
		}
	}
}
