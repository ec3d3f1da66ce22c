package tpmdev

import (
	"context"
	"fmt"
	"math"

	"github.com/google/go-tpm/tpm2"
)

// Random fills p with the TPM's random bytes over the session, which must
// encrypt in direction Out only. The session proves that the bytes are the
// TPM's and hides them on the way. On an error p is partly filled and must be
// discarded.
func (s *Session) Random(ctx context.Context, p []byte) error {
	err := gather(p, func(n uint16) ([]byte, error) {
		rsp, err := tpm2.GetRandom{BytesRequested: n}.Execute(s.tpm.With(ctx), s.Session)
		if err != nil {
			return nil, err
		}
		return rsp.RandomBytes.Buffer, nil
	})
	return s.tpm.Err(err)
}

// gather fills p from as many draws as it takes. A TPM gives at most as many
// bytes at once as its longest digest has, without a word about the rest
// (Part 3, 16.1): 32 to 64. gather wipes what draw returns.
func gather(p []byte, draw func(n uint16) ([]byte, error)) error {
	for len(p) > 0 {
		n := min(len(p), math.MaxUint16)
		got, err := draw(uint16(n))
		if err != nil {
			return err
		}
		if len(got) == 0 || len(got) > n {
			return fmt.Errorf("%w: %d random bytes where 1 to %d were asked for", errMalformed, len(got), n)
		}
		p = p[copy(p, got):]
		clear(got)
	}
	return nil
}
