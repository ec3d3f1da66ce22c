package stream

import (
	"context"
	"io"

	"bulla/internal/salvage"
)

// MaxHoles is how many holes SalvageNear keeps apart.
const MaxHoles = 100

// SalvageNear is Salvage that looks for slips by sectors no further than 2 MiB,
// so that a hopeless search is soon over.
func SalvageNear(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, identities []Identity, opts *SalvageOptions) (*Salvaged, error) {
	return SalvageWithin(ctx, dst, src, size, identities, opts, 2<<20)
}

// SalvageWithin is Salvage that looks for slips no further than that many bytes.
func SalvageWithin(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, identities []Identity, opts *SalvageOptions, slip int64) (*Salvaged, error) {
	return salvageWithin(ctx, dst, src, size, identities, opts, salvage.Limits{Slip: slip, Ranges: MaxHoles})
}
