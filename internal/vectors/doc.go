// Package vectors reads, writes and builds the conformance vectors of
// testdata/vectors: containers, good and bad, each with the verdict that a
// reader must give. Their format is described in testdata/vectors/README.md.
//
//	vector.go     what a vector says
//	text.go       its file, read and written
//	container.go  the container in it, put together from its parts
//	schedule.go   the key schedule and sealing, from the specification alone
//	keys.go       its keys, as identities
//	sets.go       vectors of sets and grants, whose parts are containers of others
//
// # Running them
//
// Run all of them over every way to read containers:
//
//	all, err := vectors.Load("../testdata/vectors")
//	for _, v := range all {
//		c, err := v.Container()         // io.ReaderAt, Size, Bytes
//		ids, err := v.Identities()      // for package stream; for a command, File of each of v.Keys
//		want := v.Stream                // or v.AtRandom(), v.Ranges, v.Verify, v.Keyless
//	}
//
// A vector whose Huge reports true is a sparse container of up to 4 EiB: it is
// not for a path that reads all of what it is given. LoadSets and LoadGrants have the
// vectors of sets and grants.
//
// # Making them
//
// The generator is the test files of this package: every scenario is one entry
// of a table in scenarios_*_test.go. After a change,
//
//	go test ./internal/vectors -run TestVectors -update
//
// rewrites testdata/vectors; without -update the same test proves that the
// files are what the generator makes. It draws nothing at random: every secret is
// the SHA-256 of a label, and the randomness that goes into an encapsulation is
// too.
//
//	scenarios_*_test.go      the scenarios
//	scenario_test.go         from a scenario to a vector
//	box_test.go              the container that is being made
//	edits_test.go            what is done to it then
//	set_test.go              a set that is being made; grant_test.go: a grant
//	slots_test.go            slots; agefile_test.go: those of type 3; stock_test.go: what other tools made
//	differential_test.go     whether both readers agree, on mutants
//	malleability_test.go     whether the ways of reading agree, on these and on what a fuzzer makes of them
//
// The generator is a second writer. It shares with package format the sizes and
// the names of clauses, and no code with what seals, wraps, or reads, so that a
// mistake there is not also made here. It can do what no API of the project can,
// seal under a given key at a given place: so nothing but tests imports it.
package vectors
