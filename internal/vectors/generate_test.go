package vectors

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/vectors")

const directory = "../../testdata/vectors"

// scenarios are all there are.
func scenarios() []scenario {
	return slices.Concat(
		goodSizes(), goodHeads(), goodSlots(),
		badHeads(), roles(), versions(), badSlots(), noKeys(),
		badChunks(), huge(),
		tornHeads(), tornTails(), generations(), forgedCopies(), twoContainers(), twoFaces(), detachedHeads(), largerHeads(),
		goodZstd(), badZstd(),
	)
}

// made are the scenarios with their vectors, made once.
var made = sync.OnceValue(func() (all []vectorOf) {
	for _, s := range scenarios() {
		if s.label == "" {
			s.label = s.name
		}
		all = append(all, vectorOf{s, s.vector()})
	}
	return all
})

// madeSets are the sets and grants with their vectors, and those of their parts that are not
// there already.
var madeSets = sync.OnceValues(func() (sets, parts []vectorOf) {
	there := make(map[string]bool)
	for _, v := range made() {
		there[v.Name] = true
	}
	add := func(p scenario) {
		if !there[p.name] && p.want != "" { // "" for one that is made elsewhere
			there[p.name] = true
			parts = append(parts, vectorOf{p, p.vector()})
		}
	}
	for _, s := range setScenarios() {
		sets = append(sets, vectorOf{Vector: s.vector()})
		for _, part := range s.parts.names() {
			add(s.parts[part])
		}
	}
	for _, g := range grantScenarios() {
		sets = append(sets, vectorOf{Vector: g.vector()})
		members := g.members()
		for _, part := range keysOf(members) {
			add(members[part])
		}
	}
	return sets, parts
})

type vectorOf struct {
	scenario
	*Vector
}

// The files in testdata/vectors are what the generator makes, all of it and
// nothing else; with -update they are made so.
func TestVectors(t *testing.T) {
	files := make(map[string][]byte)
	sets, parts := madeSets()
	for _, v := range slices.Concat(made(), parts, sets) {
		name := v.Name + Extension
		if files[name] != nil {
			t.Errorf("there are two scenarios %s", v.Name)
		}
		files[name] = v.Append(nil)
	}
	there, err := filepath.Glob(filepath.Join(directory, "*"+Extension))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if files[filepath.Base(path)] != nil {
			continue
		}
		if !*update {
			t.Errorf("%s is of no scenario", path)
		} else if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	size := 0
	for name, b := range files {
		size += len(b)
		path := filepath.Join(directory, name)
		old, err := os.ReadFile(path)
		switch {
		case err == nil && bytes.Equal(old, b):
		case *update:
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			t.Error(err)
		default:
			t.Errorf("%s is not what the generator makes; see the package comment", name)
		}
	}
	t.Logf("%d vectors, %d bytes", len(files), size)
}
