// Package stream writes and reads bulla containers.
//
// A [Writer] seals what is written to it into a new container, under a key of
// its own that is wrapped for each [Recipient]. A [Reader] opens a container
// from a stream, a [ReaderAt] any range of one whose size is known, and
// [Verify] authenticates all of one without releasing a byte.
//
// [EditHead] changes its recipients, [VerifySlice] checks a part of one,
// [Writer.CloseVerified] reads back one that was just written, and [Salvage]
// gets back what still authenticates of a damaged one.
//
//	w, err := stream.NewWriter(ctx, dst, recipients, nil)
//	_, err = w.ReadFrom(src)
//	err = w.Close() // fails, too, if ReadFrom did
//
// # Data flow
//
// All of them work in batches of four chunks, 256 KiB, that travel around a
// ring of 2*workers+1 slots with two buffers each; so memory is bounded by
// (2*workers+1) * 512 KiB, and for a Reader a head's length more a slot,
// whatever the size of the stream:
//
//	Writer      Write, ReadFrom ──▶ seal (parallel) ──▶ dst.Write
//	Reader      src.Read ──▶ open (parallel) ──▶ Read, WriteTo
//	ReaderAt    number the batches ──▶ src.ReadAt, open (parallel) ──▶ WriteTo
//	Verify      the same, and what has opened is dropped
//
// The stages at both ends are sequential. A stream that fits one batch is worked
// on in the caller's goroutine; only what does not starts others. With one
// worker there are none at all.
//
// # Errors
//
// An error is final: every later call returns it. Only authenticated bytes are
// released; a stream that is cut or changed gives the bytes before the fault
// and then an error, never io.EOF. A Writer that failed, or whose source did in
// ReadFrom, refuses to finish the container, so that what it left does not open
// as whole. So does one that a Reader or a ReaderAt writes to (WriteTo, io.Copy):
// if they fail, they abort it. Any other failure of a source is the caller's to
// report: see [Writer.Close].
//
// # What this API does not take
//
// No call takes a content-encryption key, a salt or a chunk index for writing:
// nonces count chunks, and are safe because every Writer has a fresh key.
package stream
