package stream

import (
	"context"
	"io"

	"bulla/format"
)

// MaxHoles is how many holes SalvageNear keeps apart.
const MaxHoles = 100

// SalvageNear is Salvage with narrow bounds for the search, so that a hopeless
// one is soon over.
func SalvageNear(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, identities []Identity, opts *ReaderOptions) (*Salvaged, error) {
	return salvage(ctx, dst, src, size, identities, opts, &searchBounds{
		reaches: []reach{
			{within: 128, step: 1, ahead: []int64{1, 0}},
			{within: 3 << 20, step: format.SealedChunkSize, ahead: []int64{0, 1}},
			{within: 128, step: 1, final: true},
			{within: 512 << 10, step: 512, final: true},
			{within: 2 << 20, step: 512, ahead: []int64{1}},
		},
		maxTries:  1 << 20,
		maxShifts: 10,
		maxHoles:  MaxHoles,
	})
}
