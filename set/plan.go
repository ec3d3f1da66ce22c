package set

import (
	"fmt"
	"sort"

	"bulla/format"
	"bulla/internal/zseek"
	"bulla/stream"
)

// volumeHead is how long the head of a volume is: room for its one slot, and two more
// (HEAD-15).
const volumeHead = format.PageSize

// VolumeSizeFor returns the V of a set none of whose containers is longer than limit bytes:
// the content of a volume. Compressed volumes are for the most part much shorter, but must
// fit if nothing in them can be compressed.
//
// It fails with a [*stream.LimitError] if no V fits.
func VolumeSizeFor(limit int64, coding format.Coding) (int64, error) {
	units := sort.Search(MaxVolumeSize/VolumeUnit, func(i int) bool { // the fewest that do not fit, less one
		sealed := int64(i+1) * VolumeUnit
		if coding == format.Zstd {
			sealed = zseek.MaxStreamSize(sealed)
		}
		return format.ContainerSize(sealed, volumeHead) > limit
	})
	if units == 0 {
		return 0, &stream.LimitError{Clause: format.SET9, Reason: fmt.Sprintf("no volume fits into %d bytes", limit)}
	}
	return int64(units) * VolumeUnit, nil
}

// checkPlan refuses a set of size bytes, if that is known and not negative, that would need
// too many volumes.
func checkPlan(volumeSize, size int64) error {
	switch {
	case volumeSize <= 0 || volumeSize > MaxVolumeSize || volumeSize%VolumeUnit != 0:
		return &stream.LimitError{Clause: format.SET9, Reason: fmt.Sprintf("volumes of %d bytes: not a multiple of %d up to %d", volumeSize, VolumeUnit, int64(MaxVolumeSize))}
	case size/volumeSize >= MaxVolumes:
		return &stream.LimitError{Clause: format.SET24, Reason: fmt.Sprintf("%d bytes are more than %d volumes of %d bytes hold", size, MaxVolumes, volumeSize)}
	}
	return nil
}
