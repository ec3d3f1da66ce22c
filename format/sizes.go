package format

// Sizes of the payload, in bytes unless the name says otherwise (spec section 2).
const (
	ChunkSize       = 64 << 10            // plaintext of every chunk but the last
	TagSize         = 16                  // AEAD tag behind each chunk's ciphertext
	SealedChunkSize = ChunkSize + TagSize // stride of the chunks in a container

	SegmentChunks = 128                       // chunks under one segment key
	SegmentSize   = SegmentChunks * ChunkSize // 8 MiB of plaintext

	MaxChunks = 1 << 46 // FILE-3: 4 EiB of plaintext; offsets stay within an int64
)

// Sizes of a head (spec section 3).
const (
	PageSize    = 4096
	MinPages    = 1
	MaxPages    = 64 // HEAD-3
	MaxHeadSize = MaxPages * PageSize
)

// MinSize is the size in bytes of the smallest container: two one-page copies
// of the head around a single empty chunk.
const MinSize = 2*MinPages*PageSize + TagSize

// A Layout says where everything of a container of known size stands. The zero
// Layout describes no container; get one from [NewLayout].
type Layout struct {
	Size      int64 // the container
	HeadSize  int64 // H: the head, and as many bytes of tail
	Chunks    int64 // at least 1
	PlainSize int64 // the payload's plaintext, if it is authentic
}

// NewLayout derives the layout of a container of size bytes whose head is
// headSize bytes long. It fails with a [*ParseError] under [ErrTruncated] when
// there is no room for a head, a chunk and a tail (FILE-1), under
// [ErrMalformed] when no payload has that size (FILE-2), and under
// [ErrUnsupported] when there would be too many chunks (FILE-3).
func NewLayout(size, headSize int64) (Layout, error) {
	payload := size - 2*headSize
	if payload < TagSize {
		return Layout{}, &ParseError{FILE1, "payload", size, ErrTruncated,
			"no room for a head, a chunk and a tail"}
	}
	// The last chunk is what remains behind the full ones, its tag included.
	last := payload % SealedChunkSize
	if last < TagSize {
		return Layout{}, &ParseError{FILE2, "payload", size - headSize - last, ErrMalformed,
			"no payload has this size: the last chunk would be shorter than a tag"}
	}
	l := Layout{Size: size, HeadSize: headSize, Chunks: payload/SealedChunkSize + 1}
	if l.Chunks > MaxChunks {
		return Layout{}, &ParseError{FILE3, "payload", headSize, ErrUnsupported, "more than 2^46 chunks"}
	}
	l.PlainSize = payload - l.Chunks*TagSize
	return l, nil
}

// Chunk returns the offset and the length, in the container, of chunk i with
// its tag; 0 <= i < l.Chunks.
func (l Layout) Chunk(i int64) (offset, length int64) {
	offset = ChunkOffset(l.HeadSize, i)
	return offset, min(SealedChunkSize, l.TailOffset()-offset)
}

// OffsetOf is where byte off of the payload's plaintext stands in the
// container, sealed.
func (l Layout) OffsetOf(off int64) int64 {
	return ChunkOffset(l.HeadSize, off/ChunkSize) + off%ChunkSize
}

// TailOffset is where the payload ends and the tail begins.
func (l Layout) TailOffset() int64 { return l.Size - l.HeadSize }

// ChunkOffset is where chunk i begins in a container whose head is headSize
// bytes long.
func ChunkOffset(headSize, i int64) int64 { return headSize + i*SealedChunkSize }

// ContainerSize is the size in bytes of a container with plainSize bytes of
// plaintext and a head of headSize bytes.
func ContainerSize(plainSize, headSize int64) int64 {
	// The last chunk is always short, so a multiple of ChunkSize has an empty one.
	chunks := plainSize/ChunkSize + 1
	return 2*headSize + plainSize + chunks*TagSize
}
