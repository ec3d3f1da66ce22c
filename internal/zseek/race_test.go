//go:build race

package zseek

// raceEnabled says that the race detector is on. It allocates, and makes
// everything ten times slower: what is exhaustive without it is sampled with it,
// and runs on several workers only.
const raceEnabled = true
