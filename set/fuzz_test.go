package set

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"bulla/format"
)

// refusedWith fails unless err names a clause of sets, and a place.
func refusedWith(t *testing.T, err error, size int) {
	t.Helper()
	pe, ok := errors.AsType[*format.ParseError](err)
	if !ok || !slices.Contains(format.SetClauses, pe.Clause) || pe.Offset < 0 || pe.Offset > int64(max(size, rootSize)) || pe.Reason == "" {
		t.Fatalf("%d bytes: %v", size, err)
	}
}

// What parses of a root is written in one way, and has limits that hold.
func FuzzRoot(f *testing.F) {
	for _, r := range []*root{newRoot(VolumeUnit, format.Plain), newRoot(MaxVolumeSize, format.Zstd)} {
		f.Add(encode(r))
	}
	f.Add([]byte(rootMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		var id format.SetID
		if len(b) >= 28 {
			id = format.SetID(b[16:28])
		}
		r, err := parseRoot(b, id)
		if err != nil {
			refusedWith(t, err, len(b))
			return
		}
		u, key, err := r.keys()
		if err != nil || key == nil || u.VolumeSize <= 0 || u.VolumeSize > MaxVolumeSize || u.VolumeSize%VolumeUnit != 0 || !bytes.Equal(encode(r), b) {
			t.Fatalf("%x: %+v, %v", b, u, err)
		}
		id[0]++
		if _, err := parseRoot(b, id); err == nil {
			t.Fatal("it is the root of two sets")
		}
	})
}

// What parses of an index, whose MAC fits, is written in one way, and lists volumes that are as
// long as they can be.
func FuzzIndex(f *testing.F) {
	u := &Unfinished{Shape: Shape{VolumeSize: VolumeUnit}}
	for _, contents := range [][]int64{{0}, {5}, {VolumeUnit, VolumeUnit, 7}} {
		u.Volumes = nil
		for _, n := range contents {
			u.Volumes = append(u.Volumes, Volume{Content: n, Size: format.ContainerSize(n, volumeHead)})
		}
		b := u.encodeIndex()
		f.Add(b[:len(b)-macSize], uint64(VolumeUnit))
	}
	f.Add([]byte(indexMagic), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, v uint64) {
		u := &Unfinished{Shape: Shape{VolumeSize: int64(1+v%(MaxVolumeSize/VolumeUnit)) * VolumeUnit}}
		if v == VolumeUnit {
			u.VolumeSize = VolumeUnit
		}
		if len(b) >= headSize { // of the set that it says
			u.ID = format.SetID(b[16:28])
			if v%2 == 1 {
				binary.BigEndian.PutUint64(b[32:], uint64(u.VolumeSize))
			}
		}
		b = append(bytes.Clone(b), indexMAC(b, u.MACKey[:])...)
		volumes, err := u.parseIndex(b)
		if err != nil {
			refusedWith(t, err, len(b))
			return
		}
		u.Volumes = volumes
		if !bytes.Equal(u.encodeIndex(), b) || !u.Ended() || u.Size() < 0 || u.Size()/u.VolumeSize != int64(len(volumes)-1) {
			t.Fatalf("%d volumes, %d bytes", len(volumes), u.Size())
		}
		b[len(b)-1] ^= 1
		if _, err := u.parseIndex(b); !errors.Is(err, format.ErrForged) {
			t.Fatal(err)
		}
	})
}
