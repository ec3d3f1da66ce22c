// Package set writes and reads sets: one plaintext in many containers (spec/set.md).
//
//	NAME.bulla          the root: for the recipients; it holds the secret S of the set
//	NAME.bulla.000000   volumes: for the set key, which comes of S; V bytes of content
//	NAME.bulla.000001   each, the last has fewer
//	…
//	NAME.bulla.index    which containers the volumes are, and their sizes; the last part
//
// A [Writer] cuts what is written to it into volumes, in one pass. A [ReaderAt] reads any
// range, and opens a volume when it first needs it. [Verify] authenticates everything.
// [Recover] finds out with a key which volumes of an unfinished set are whole, and
// [Resume] goes on with the next, or makes a lost index anew. [Salvage] gets out what is left.
//
//	w, err := set.NewWriter(ctx, create, recipients, &set.WriterOptions{VolumeSize: 1 << 30})
//	_, err = w.ReadFrom(src)
//	err = w.Close() // fails, too, if ReadFrom did; then there is no index
//
// WriteRange reads and opens a volume in parallel, and opens the next meanwhile, so that to
// read a set from its beginning is about as fast as to read a file: there is no other reader for
// that. A program that wants an io.Reader takes an [io.SectionReader].
//
// # Where the parts lie
//
// The package knows no names of files. A part is called by what follows the name of the
// root: "" is the root, ".000000" a volume, ".index" the index. The caller opens and creates
// them, with an [Opener] and a [Creator], wherever they lie. What a Creator makes has to appear whole
// or not at all, and durable: a set is whole because its index comes last.
//
// # Keys
//
// Each volume is a container with a key of its own, so one that is made again is another
// container: no key seals anything twice. The recipients are the root's alone, so that
// [stream.EditHead] on the root changes who reads the whole set. Whoever writes volumes needs
// what [Unfinished] holds, and can open nothing with it.
//
// # Errors
//
// An error about a part is a [*PartError], with its name. Under it are the errors of
// package stream, and of this package a [*format.ParseError] with a clause SET-n. A part
// that is not there is an error that matches fs.ErrNotExist with the clause SET-1.
package set
