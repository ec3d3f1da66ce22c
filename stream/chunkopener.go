package stream

import (
	"context"

	"bulla/internal/seal"
)

// A ChunkOpener tells which chunks are authentic, wherever they were found: it does for
// package parity what only a key can. It is safe for concurrent use but for Close.
type ChunkOpener struct{ op *opened }

// NewChunkOpener opens a container by a copy of its head, with which encoded begins. Its
// errors are those of [EditDetachedHead].
func NewChunkOpener(ctx context.Context, encoded []byte, identities []Identity) (*ChunkOpener, error) {
	op, err := openHead(ctx, encoded, identities, false)
	if err != nil {
		return nil, err
	}
	return &ChunkOpener{op}, nil
}

// Opens reports whether sealed is chunk i of the container, which is its last one or not
// (CHUNK-1). It keeps nothing of sealed.
func (o *ChunkOpener) Opens(i int64, sealed []byte, last bool) bool {
	key, err := o.op.keys.Key(i, last, nil)
	if err != nil {
		return false
	}
	var nonce seal.Nonce
	_, err = key.Open(nil, sealed, i, &nonce)
	return err == nil
}

// Close forgets the keys.
func (o *ChunkOpener) Close() { o.op.wipe() }
