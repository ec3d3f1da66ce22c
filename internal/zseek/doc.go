// Package zseek writes and reads compressed streams in Zstandard's seekable
// format, in the profile that spec/bulla.md, section 9, calls coding 1:
//
//	frame 0      2 MiB of content         Zstandard frames (RFC 8878), each
//	frame 1      2 MiB                    decodable without the others
//	…
//	frame n-1    1 byte to 2 MiB
//	seek table   sizes of all frames      a skippable frame, for random access
//
// Any Zstandard decoder reads the whole. As all frames but the last hold the
// same amount, the frame of a place in the content is a division; the table
// says where in the stream that frame stands.
//
// # Data flow
//
// A [Writer] takes content and a [Reader] gives it, as streams; a [ReaderAt]
// gives any range of it where the stream can be read at any place. Frames are
// coded in parallel and leave in order:
//
//	Writer      Write, ReadFrom ──▶ compress (parallel) ──▶ dst.Write
//	Reader      src.Read, find frame ends ──▶ decompress (parallel) ──▶ Read, WriteTo
//	ReaderAt    number the frames ──▶ src.ReadAt, decompress (parallel) ──▶ WriteTo, WriteRange
//	            ──▶ cache of frames ──▶ ReadAt
//
// A Reader has no table to go by until the end: it finds where a frame ends by
// the sizes that stand before its blocks, which costs next to nothing, and lets
// others decode it. A stream of less than one frame is worked on in the caller's
// goroutine, and so is every stream if there is one worker.
//
// # Memory
//
// Frames travel in workers+2 slots of one compressed and one decompressed
// frame, 4 MiB together, so that memory is bounded whatever the length of the
// stream and whatever it says of itself: nothing is allocated by a length that a
// stream gives. To that come, for each worker, an encoder (3 to 8 MiB by its
// level, 40 MiB from level 10 on) or a decoder (1 MiB). A Writer keeps 4 bytes a
// frame for the table, 2 MiB for each TiB of content; a Reader keeps a digest of
// the table to come; a ReaderAt keeps what a Writer does, and the content
// of workers+2 frames.
//
// # Errors
//
// An error of Writer or Reader is final: every later call returns it. A stream
// that is not in the profile, or is damaged, gives the content of the frames
// before the fault and then a *format.ParseError that names the clause and the
// offset in the stream. Errors of the source or destination are passed on as
// they are.
package zseek
