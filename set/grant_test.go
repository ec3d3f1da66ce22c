package set

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"bulla/stream"
)

// A grant on a set holds a part for each volume that it touches, and needs neither root nor
// index.
func TestGrant(t *testing.T) {
	const size = 4*VolumeUnit + 99
	plain := data(1, size)
	for _, level := range []int{0, 1} {
		opts := small
		opts.VolumeSize, opts.Level = 2*VolumeUnit, level
		s := write(t, plain, opts)
		r, err := s.reader(identity())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		holder, err := otherIdentity()
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []stream.Range{{Offset: 0, Length: 1}, {Offset: VolumeUnit, Length: 2 * VolumeUnit}, {Offset: 3*VolumeUnit + 5, Length: size - 3*VolumeUnit - 5}, {Length: size}} {
			g, err := r.Grant(x)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := g.Write(context.Background(), &b, []stream.Recipient{holder.Recipient()}, nil); err != nil {
				t.Fatal(err)
			}
			g.Close()
			volumes := s.clone()
			delete(volumes.parts, "")
			delete(volumes.parts, IndexSuffix)
			o, err := stream.OpenGrant(context.Background(), bytes.NewReader(b.Bytes()), int64(b.Len()), []stream.Identity{holder}, Targets(context.Background(), volumes.Open), nil)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if _, err := o.WriteRange(context.Background(), &got, x.Offset, x.Length); err != nil || !bytes.Equal(got.Bytes(), plain[x.Offset:x.Offset+x.Length]) {
				t.Errorf("%v: %v", x, err)
			}
			if o.Size() != size {
				t.Error(o.Size())
			}
			if _, err := o.ReadAt(make([]byte, 1), x.Offset+x.Length+VolumeUnit); level == 0 && x.Length < size && !errors.As(err, new(*stream.NotGrantedError)) {
				t.Errorf("%v: outside: %v", x, err)
			}
			o.Close()
		}
		for _, x := range []stream.Range{{Offset: -1, Length: 1}, {Offset: size, Length: 1}, {Offset: 5, Length: size}, {Offset: 5}} {
			if _, err := r.Grant(x); !errors.Is(err, stream.ErrGrantRange) {
				t.Errorf("%v: %v", x, err)
			}
		}
	}
}
