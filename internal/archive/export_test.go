package archive

// SetLimit makes the index of an archive smaller.
func (f *FS) SetLimit(bytes int64) { f.limit = bytes }
