//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/job"
	"bulla/internal/storage"
	"bulla/keyslot"
	"bulla/keyslot/keyfile"
	"bulla/set"
	"bulla/stream"
)

// simulate has the command plan, look at and finish a job of so many volumes of 64 GiB, in a folder
// in dir that takes files of any length. The volumes are synthetic: files with holes, but with heads
// of their own at either end, which is all that the end of a job looks at.
func simulate(dir string, volumes int, filter *regexp.Regexp, done func(Amount)) error {
	if !filter.MatchString("scale/") {
		return nil
	}
	dir, err := os.MkdirTemp(dir, "bulla-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return err
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	id, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		return err
	}
	key, err := keyfile.Encode(id, time.Now())
	if err == nil {
		err = os.WriteFile(at("key"), key, 0o600)
	}
	if err == nil {
		err = os.WriteFile(at("in"), nil, 0o600)
	}
	if err == nil {
		err = os.Truncate(at("in"), int64(volumes)*volumeBytes()-volumeBytes()/2)
	}
	if err != nil {
		return err
	}
	show := func(line string) error {
		r, err := once(dir, "bulla job "+line)
		if err != nil {
			return err
		}
		verb, size := "job "+line[:strings.IndexByte(line, ' ')], int64(volumes)*volumeBytes()
		done(Amount{Name: "scale/time of " + verb, Does: "bulla job " + line, Size: size, Unit: "ms", Value: r.took.Milliseconds()})
		done(Amount{Name: "scale/peak of " + verb, Does: "bulla job " + line, Size: size, Unit: "bytes", Value: r.peak})
		return nil
	}
	if err := show("encrypt -q --volume-size 64G -r " + id.Recipient().Canonical() + " -o set --into job in"); err != nil {
		return err
	}
	var plan job.Plan
	text, err := os.ReadFile(at("job/plan.json"))
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	if err == nil && plan.Parts != volumes {
		err = fmt.Errorf("there are %d parts", plan.Parts)
	}
	if err == nil {
		err = work(dir, &plan)
	}
	if err != nil {
		return err
	}
	for _, line := range []string{"status -q job", "finish -q job"} {
		if err := show(line); err != nil {
			return err
		}
	}
	// It is a set: its index opens, and has all volumes.
	root, err := os.Open(at("set"))
	if err != nil {
		return err
	}
	defer root.Close()
	st, err := root.Stat()
	if err != nil {
		return err
	}
	r, err := set.NewReaderAt(context.Background(), root, st.Size(), func(_ context.Context, suffix string) (set.File, error) {
		return openSized(at("set" + suffix))
	}, []stream.Identity{id}, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	if n, err := r.Size(); err != nil || n != plan.Work || len(r.Volumes()) != volumes {
		return fmt.Errorf("the set has %d bytes in %d volumes: %v", n, len(r.Volumes()), err)
	}
	return nil
}

// work leaves what the runs of all parts would, and of each tenth what a run would that was killed
// before the volume had its name.
func work(dir string, plan *job.Plan) error {
	id, err := hex.DecodeString(plan.Encrypt.Set)
	if err != nil {
		return err
	}
	of := &set.Shape{ID: format.SetID(id), Public: plan.Encrypt.Public, VolumeSize: plan.Encrypt.VolumeSize}
	var next atomic.Int64
	var running sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for k := range errs {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < plan.Parts && errs[k] == nil; i = int(next.Add(1)) - 1 {
				errs[k] = part(dir, plan, of, i)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

func part(dir string, plan *job.Plan, of *set.Shape, i int) error {
	var small bytes.Buffer // a volume without content
	v, err := set.WriteVolume(context.Background(), &small, of, i, bytes.NewReader(nil), new(stream.WriterOptions))
	if err != nil {
		return err
	}
	head := (v.Size - format.TagSize) / 2
	v.Content = min(of.VolumeSize, plan.Work-int64(i)*of.VolumeSize)
	v.Size = format.ContainerSize(v.Content, head)
	name := "set" + set.VolumeSuffix(i)
	held := "." + name + ".SYNTHETIC.held"
	if i%10 == 0 {
		name = held
	}
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if _, err = f.Write(small.Bytes()[:head]); err == nil {
		_, err = f.WriteAt(small.Bytes()[small.Len()-int(head):], v.Size-head)
	}
	receipt, jerr := json.Marshal(job.Receipt{Job: plan.ID, Part: i,
		Volume: &job.VolumeMade{Held: storage.Held{File: held, Size: v.Size}, Identity: v.Identity[:], Content: v.Content}})
	if err = errors.Join(err, jerr, f.Close()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "job", fmt.Sprintf("%06d.done", i)), receipt, 0o666)
}

type sized struct {
	*os.File
	size int64
}

func (s sized) Size() int64 { return s.size }

func openSized(name string) (set.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return sized{f, st.Size()}, nil
}

var _ io.ReaderAt = sized{}
