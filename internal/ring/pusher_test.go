package ring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"bulla/internal/fullio"
)

// A parcel holds up to parcelRoom bytes; work on it makes them upper case.
type parcel struct {
	in, out []byte
	number  int
	last    bool
}

const parcelRoom = 4

// A post takes what a pusher of parcels commits.
type post struct {
	next     int
	sent     bytes.Buffer
	parcels  int
	lastSeen bool
	numbered func(n int) error // called with the number of each parcel
	commit   func(n int) error
}

func (d *post) pusher(workers int) *Pusher[parcel] {
	return NewPusher(workers, 2*workers+1, Stages[parcel]{
		Buffer: func(p *parcel) *[]byte {
			if p.in == nil {
				p.in = make([]byte, 0, parcelRoom)
			}
			return &p.in
		},
		Number: func(p *parcel, last bool) error {
			p.number, p.last = d.next, last
			d.next++
			if d.numbered != nil {
				return d.numbered(p.number)
			}
			return nil
		},
		Work: func(p *parcel) { p.out = append(p.out[:0], bytes.ToUpper(p.in)...) },
		Commit: func(p *parcel) error {
			if d.commit != nil {
				if err := d.commit(p.number); err != nil {
					return err
				}
			}
			if p.number != d.parcels {
				return fmt.Errorf("parcel %d came as number %d", p.number, d.parcels)
			}
			if d.lastSeen {
				return errors.New("a parcel after the last")
			}
			d.parcels++
			d.lastSeen = p.last
			d.sent.Write(p.out)
			return nil
		},
	})
}

func letters(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}

// Whatever is written comes out once, worked on and in order, in full parcels
// but for the last, however it is handed in.
func TestPusher(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		for n := range 6*parcelRoom + 2 {
			for _, evenIfEmpty := range []bool{false, true} {
				for name, push := range map[string]func(*Pusher[parcel], []byte) (int64, error){
					"Write": func(p *Pusher[parcel], b []byte) (int64, error) { n, err := p.Write(b); return int64(n), err },
					"by a byte": func(p *Pusher[parcel], b []byte) (int64, error) {
						return io.Copy(struct{ io.Writer }{p}, iotest.OneByteReader(bytes.NewReader(b)))
					},
					"ReadFrom": func(p *Pusher[parcel], b []byte) (int64, error) {
						return p.ReadFrom(struct{ io.Reader }{bytes.NewReader(b)})
					},
					"data with EOF": func(p *Pusher[parcel], b []byte) (int64, error) {
						return p.ReadFrom(iotest.DataErrReader(bytes.NewReader(b)))
					},
				} {
					var d post
					p := d.pusher(workers)
					k, err := push(p, letters(n))
					if err != nil || k != int64(n) {
						t.Fatalf("%s of %d bytes: %d, %v", name, n, k, err)
					}
					if err := p.Close(evenIfEmpty); err != nil {
						t.Fatalf("%s of %d bytes: Close: %v", name, n, err)
					}
					want := (n + parcelRoom - 1) / parcelRoom
					rest := n%parcelRoom > 0
					if evenIfEmpty && !rest {
						want++
					}
					if !bytes.Equal(d.sent.Bytes(), bytes.ToUpper(letters(n))) || d.parcels != want || d.lastSeen != (rest || evenIfEmpty) {
						t.Errorf("%s of %d bytes, %d workers: %d parcels, last %v: %q", name, n, workers, d.parcels, d.lastSeen, d.sent.Bytes())
					}
					if many := workers > 1 && n >= parcelRoom; p.parallel != many {
						t.Errorf("%d bytes, %d workers: goroutines: %v", n, workers, p.parallel)
					}
				}
			}
		}
	}
}

// A stage that fails, at whatever parcel, is the error of every later call, and
// nothing is committed after it.
func TestPusherStageFails(t *testing.T) {
	broken := errors.New("broken")
	const parcels = 6
	for _, workers := range []int{1, 2, 5} {
		for at := range parcels + 1 {
			for _, stage := range []string{"number", "commit"} {
				synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
					fail := func(n int) error {
						if n == at {
							return broken
						}
						return nil
					}
					d := &post{}
					if stage == "number" {
						d.numbered = fail
					} else {
						d.commit = fail
					}
					p := d.pusher(workers)
					_, err := p.ReadFrom(struct{ io.Reader }{bytes.NewReader(letters(parcels*parcelRoom + 1))})
					if err != nil && err != broken {
						t.Errorf("ReadFrom: %v", err)
					}
					if err := p.Close(true); err != broken {
						t.Errorf("%s %d: Close: %v", stage, at, err)
					}
					if _, err := p.Write([]byte("x")); err != broken {
						t.Errorf("Write after it: %v", err)
					}
					if d.parcels > at {
						t.Errorf("%d parcels were committed, and number %d failed", d.parcels, at)
					}
				})
			}
		}
	}
}

// Sources that break off, or break the contract of io.Reader, end it for good.
func TestPusherSourceFails(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		src  io.Reader
		want error
	}{
		"an error":       {io.MultiReader(bytes.NewReader(letters(parcelRoom+1)), iotest.ErrReader(broken)), broken},
		"too much":       {badReader(parcelRoom + 1), fullio.ErrBadCount},
		"less than none": {badReader(-1), fullio.ErrBadCount},
		"nothing ever":   {badReader(0), io.ErrNoProgress},
	} {
		for _, workers := range []int{1, 2} {
			var d post
			p := d.pusher(workers)
			if _, err := p.ReadFrom(c.src); err != c.want {
				t.Errorf("%s: ReadFrom: %v", name, err)
			}
			if err := p.Close(true); err != c.want {
				t.Errorf("%s: Close: %v", name, err)
			}
			if d.lastSeen {
				t.Errorf("%s: the last parcel was committed", name)
			}
		}
	}
}

type badReader int

func (r badReader) Read([]byte) (int, error) { return int(r), nil }

// Fail ends a Write that waits, from whatever goroutine.
func TestPusherFailFreesBlockedWrite(t *testing.T) {
	stopped := errors.New("stopped")
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		d := &post{commit: func(int) error { <-stuck; return nil }}
		p := d.pusher(2)
		written := make(chan error)
		go func() {
			_, err := p.Write(letters(100 * parcelRoom))
			written <- err
		}()
		synctest.Wait()
		p.Fail(stopped)
		p.Fail(errors.New("too late"))
		if err := <-written; err != stopped {
			t.Errorf("Write: %v", err)
		}
		close(stuck)
		if err := p.Close(true); err != stopped {
			t.Errorf("Close: %v", err)
		}
	})
}
