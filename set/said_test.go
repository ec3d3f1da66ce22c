package set

import (
	"errors"
	"testing"

	"bulla/format"
	"bulla/stream"
)

func TestPartNames(t *testing.T) {
	for suffix, want := range map[string]string{"": "root", IndexSuffix: "index", VolumeSuffix(3): "volume 000003"} {
		if got := PartName(suffix); got != want {
			t.Errorf("%q is the %q, want %q", suffix, got, want)
		}
		if err := inPart(suffix, errors.New("it is gone")); err.Error() != want+": it is gone" {
			t.Error(err)
		}
	}
}

// TestOutcomes is about what is said of each clause: of a whole set, one with damage, and
// one that nothing opens.
func TestOutcomes(t *testing.T) {
	s := write(t, data(1, 3*VolumeUnit), WriterOptions{WriterOptions: stream.WriterOptions{Level: 1}, VolumeSize: VolumeUnit})
	damaged := s.clone()
	flip(damaged, 1, len(damaged.parts[VolumeSuffix(1)])/2)
	stranger, err := otherIdentity()
	if err != nil {
		t.Fatal(err)
	}
	outcomes := func(s *store, ids ...stream.Identity) map[format.Clause]stream.Result {
		src, size := s.root()
		rep, _ := Verify(t.Context(), src, size, s.Open, ids, nil)
		all := make(map[format.Clause]stream.Result)
		for _, o := range rep.Outcomes() {
			all[o.Clause] = o.Result
		}
		return all
	}
	for _, c := range []struct {
		name   string
		all    map[format.Clause]stream.Result
		clause format.Clause
		want   stream.Result
	}{
		{"whole", outcomes(s, identity()), format.SET13, stream.Passed},
		{"whole", outcomes(s, identity()), format.ZSTD1, stream.Passed},
		{"damaged", outcomes(damaged, identity()), format.CHUNK1, stream.Failed},
		{"another's key", outcomes(s, stranger), format.SET13, stream.NotChecked},
	} {
		if got := c.all[c.clause]; got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.name, c.clause, got, c.want)
		}
	}
}

// TestReaderTells is about the root that a set was opened by.
func TestReaderTells(t *testing.T) {
	s := write(t, data(1, 100), WriterOptions{VolumeSize: VolumeUnit})
	r, err := s.reader(identity())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Head().Role != format.RoleRoot || r.OpenedSlot() != 0 {
		t.Errorf("%v, slot %d", r.Head().Role, r.OpenedSlot())
	}
}

// TestParts is about which parts a set has without a key: as the index says, or up to the
// first that is missing.
func TestParts(t *testing.T) {
	s := write(t, data(1, 2*VolumeUnit+5), WriterOptions{VolumeSize: VolumeUnit})
	parts := func(s *store) int {
		t.Helper()
		all, err := Parts(t.Context(), s.Open)
		if err != nil || all[0] != "" || all[len(all)-1] != IndexSuffix {
			t.Fatalf("%q, %v", all, err)
		}
		return len(all)
	}
	if got := parts(s); got != 5 {
		t.Errorf("%d parts, want the root, 3 volumes and the index", got)
	}
	gap := s.clone()
	delete(gap.parts, VolumeSuffix(1))
	if got := parts(gap); got != 5 {
		t.Errorf("%d parts by the index", got)
	}
	delete(gap.parts, IndexSuffix)
	if got := parts(gap); got != 3 {
		t.Errorf("%d parts without an index, up to the gap", got)
	}
	src, size := s.root()
	if key, err := Key(t.Context(), src, size, []stream.Identity{identity()}); err != nil || key == nil {
		t.Error(err)
	}
	stranger, err := otherIdentity()
	if err != nil {
		t.Fatal(err)
	}
	var noKey *stream.NoKeyError
	if _, err := Key(t.Context(), src, size, []stream.Identity{stranger}); !errors.As(err, &noKey) {
		t.Error(err)
	}
	r, err := s.reader(identity())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if len(r.Volumes()) != 3 || r.VolumeSize() != VolumeUnit {
		t.Errorf("%d volumes of %d bytes", len(r.Volumes()), r.VolumeSize())
	}
	var n int64
	if err := r.Volume(2, func(v *stream.ReaderAt) error { n, err = v.Size(); return err }); err != nil || n != 5 {
		t.Errorf("the last volume has %d bytes, %v", n, err)
	}
}
