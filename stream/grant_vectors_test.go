package stream_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"

	"bulla/format"
	"bulla/internal/vectors"
	"bulla/set"
	"bulla/stream"
)

// Every vector of a grant is read, part by part, and in ranges.
func TestGrantVectors(t *testing.T) {
	all, err := vectors.LoadGrants("../testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range all {
		if testing.Short() && i%3 > 0 {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			parts := make(map[string]*vectors.Container)
			for name, p := range v.Parts {
				if parts[name], err = p.Container(); err != nil {
					t.Fatal(err)
				}
			}
			ids, err := v.Identities()
			if err != nil {
				t.Fatal(err)
			}
			g, err := stream.OpenGrant(t.Context(), parts[vectors.Grant], parts[vectors.Grant].Size(), ids, func(p format.Part) (stream.Target, error) {
				name := vectors.Target
				if p.Role == format.RoleVolume {
					name = set.VolumeSuffix(int(p.Number))
				}
				if parts[name] == nil {
					return nil, &format.ParseError{Clause: format.SET1, Kind: format.ErrTruncated}
				}
				return parts[name], nil
			}, &stream.GrantOptions{Workers: 2})
			want := v.AtRandom()
			var plain bytes.Buffer
			where := vectors.Grant
			if err == nil {
				defer g.Close()
				for _, r := range g.Ranges() {
					if err == nil {
						_, err = g.WriteRange(context.Background(), &plain, r.Offset, r.Length)
					}
				}
			}
			if e, ok := errors.AsType[*stream.TargetError](err); ok {
				if where = vectors.Target; e.Role == format.RoleVolume {
					where = set.VolumeSuffix(int(e.Number))
				}
			}
			if clause, ok := grantClause(err); want.Outcome == vectors.Success || want.Outcome == vectors.Warning {
				if err != nil || int64(plain.Len()) != want.Length || sha256.Sum256(plain.Bytes()) != want.Payload {
					t.Errorf("%d bytes, %v", plain.Len(), err)
				}
			} else if clause != want.Clause || !ok || where != want.Where || int64(plain.Len()) > want.Length {
				t.Errorf("%v in %s after %d bytes, not %s in %s after %d", err, where, plain.Len(), want.Clause, want.Where, want.Length)
			}
			if g == nil {
				return
			}
			for _, r := range v.Ranges {
				b := make([]byte, r.Length)
				n, err := g.ReadAt(b, r.Offset)
				clause, _ := grantClause(err)
				if int64(n) != r.Got || sha256.Sum256(b[:n]) != r.Payload || clause != r.Clause {
					t.Errorf("range %d+%d: %d bytes, %v, not %d and %s", r.Offset, r.Length, n, err, r.Got, r.Clause)
				}
			}
			if got := fmt.Sprint(g.Ranges()); len(v.Granted) == 1 && got != fmt.Sprint([]stream.Range{{Offset: v.Granted[0].From, Length: v.Granted[0].To - v.Granted[0].From}}) {
				t.Errorf("it grants %s", got)
			}
		})
	}
}

// grantClause is the clause that an error cites, in the words of the vectors.
func grantClause(err error) (format.Clause, bool) {
	var found interface{ Finding() format.Finding }
	switch {
	case err == nil || err == io.EOF:
		return "", err == nil
	case errors.As(err, new(*stream.NotGrantedError)):
		return vectors.Refused, true
	case errors.As(err, new(*stream.NoKeyError)):
		return "", true
	case errors.As(err, &found):
		return found.Finding().Clause, true
	}
	return "", false
}
