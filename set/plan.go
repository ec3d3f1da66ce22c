package set

import (
	"fmt"

	"bulla/format"
	"bulla/internal/zseek"
)

// volumeHead is how long the head of a volume is: room for its one slot, and two more
// (HEAD-15).
const volumeHead = format.PageSize

// VolumeSizeFor returns the V of a set none of whose containers is longer than limit bytes:
// the content of a volume. Compressed volumes are for the most part much shorter, but must
// fit if nothing in them can be compressed.
//
// It fails with a [*LimitError] if no V fits.
func VolumeSizeFor(limit int64, coding format.Coding) (int64, error) {
	fits := func(units int64) bool {
		sealed := units * VolumeUnit
		if coding == format.Zstd {
			sealed = zseek.MaxStreamSize(sealed)
		}
		return format.ContainerSize(sealed, volumeHead) <= limit
	}
	low, high := int64(0), int64(MaxVolumeSize/VolumeUnit) // low fits, if it is not 0
	for low < high {
		if mid := (low + high + 1) / 2; fits(mid) {
			low = mid
		} else {
			high = mid - 1
		}
	}
	if low == 0 {
		return 0, &LimitError{"", fmt.Sprintf("no volume fits into %d bytes", limit)}
	}
	return low * VolumeUnit, nil
}

// checkPlan refuses a set of size bytes, if that is known and not negative, that would need
// too many volumes.
func checkPlan(volumeSize, size int64) error {
	switch {
	case volumeSize <= 0 || volumeSize > MaxVolumeSize || volumeSize%VolumeUnit != 0:
		return &LimitError{format.SET9, fmt.Sprintf("volumes of %d bytes: not a multiple of %d up to %d", volumeSize, VolumeUnit, int64(MaxVolumeSize))}
	case size/volumeSize >= MaxVolumes:
		return &LimitError{format.SET24, fmt.Sprintf("%d bytes are more than %d volumes of %d bytes hold", size, MaxVolumes, volumeSize)}
	}
	return nil
}

// A LimitError says that a set would exceed a limit of the format.
type LimitError struct {
	Clause format.Clause // "" if none says it in so many words
	Reason string
}

func (e *LimitError) Error() string {
	if e.Clause == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s [%s]", e.Reason, e.Clause)
}
