//go:build race

package archive_test

// raceEnabled says that the race detector is on.
const raceEnabled = true
