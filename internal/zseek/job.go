package zseek

// ringSlots is how many frames are under way: one with each worker, one being
// filled and one being emptied.
func ringSlots(workers int) int { return workers + 2 }

// A job carries a frame through a reader's ring. Its buffers are kept from one
// use to the next.
type job struct {
	index   int64  // of the frame
	offset  int64  // of the frame in the stream
	frame   []byte // compressed
	header  header
	content []byte
	err     error // what comes after content: nil, io.EOF, or why there is no more
}
