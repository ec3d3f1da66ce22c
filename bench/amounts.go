//go:build unix

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A bounded is a command whose memory is measured, whatever the size of the input, and is
// to be at most so many bytes; 0 is no goal.
type bounded struct {
	name, line string
	most       int64
}

const withParity = (32 + 256) << 20

var memoryOf = []bounded{
	{"memory/peak of encrypt", "bulla encrypt -q -j 2 --no-sync -R key.pub -o out big", 32 << 20},
	{"memory/peak of decrypt", "bulla decrypt -q -j 2 --no-sync -i key -o out big.bulla", 32 << 20},
	{"memory/peak of encrypt, pipe", "cat big | bulla encrypt -q -j 2 -R key.pub | cat >/dev/null", 32 << 20},
	{"memory/peak of decrypt, pipe", "cat big.bulla | bulla decrypt -q -j 2 -i key | cat >/dev/null", 32 << 20},
	{"memory/peak of verify", "bulla verify -q -j 2 -i key big.bulla", 32 << 20},
	{"memory/peak of encrypt -z", "bulla encrypt -q -j 2 --no-sync -z -R key.pub -o out big", 48 << 20},
	{"memory/peak of decrypt of it", "bulla decrypt -q -j 2 --no-sync -i key -o out big.z", 48 << 20},
	{"memory/peak of encrypt --parity 5%", "bulla encrypt -q -j 2 --no-sync --force --parity 5 --parity-file out.parity -R key.pub -o out big", withParity},
	{"memory/peak of parity create", "bulla parity create -q -j 2 --no-sync -o out big.bulla", withParity},
	{"memory/peak of scrub", "bulla scrub -q -j 2 --parity-file big.parity big.bulla", withParity},
	{"memory/peak of repair", "bulla repair -q -j 2 --no-sync --parity-file big.parity -o out hole", withParity},
	{"memory/peak of encrypt --sign", "bulla encrypt -q -j 2 --no-sync --sign ssh -R key.pub -o out big", 0},
}

// objectsOf is the same for objects of a real server.
var objectsOf = []bounded{
	{"memory/peak of encrypt, to an object", "bulla encrypt -q -j 2 --force -R key.pub -o s3://bucket/out big", 0},
	{"memory/peak of decrypt, from an object", "bulla decrypt -q -j 2 --no-sync -i key -o out s3://bucket/in.bulla", 0},
	{"memory/peak of job run, encrypt, in a bucket", jobRun("s3://bucket/", "enc"), 0},
	{"memory/peak of job run, verify, in a bucket", jobRun("s3://bucket/", "ver"), 0},
	{"memory/peak of job run, decrypt, in a bucket", jobRun("s3://bucket/", "dec"), 0},
	{"memory/peak of job run, decrypt, to a file", jobRun("", "file"), 0},
}

// jobRun runs the one part of a job again.
func jobRun(where, job string) string {
	return "rm -f store/bucket/" + job + "/*.done " + job + "/*.done && bulla job run -q -j 2 --job-key " + job + ".jobkey --part 0 " + where + job
}

// memory measures the peak memory of commands for inputs of up to twice n bytes, in dir.
func memory(dir string, n int64, filter *regexp.Regexp, done func(Amount)) error {
	wanted := func(m bounded) bool { return filter.MatchString(m.name) }
	if !slices.ContainsFunc(slices.Concat(memoryOf, objectsOf), wanted) {
		return nil
	}
	dir, err := os.MkdirTemp(dir, "bulla-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := prepare(dir, n, "src.tar ssh"); err != nil {
		return err
	}
	store, stop, err := server(dir)
	if err != nil {
		return err
	}
	defer stop()
	for _, size := range []int64{20 << 20, 200 << 20, 2 * n} {
		if size > 2*n {
			continue
		}
		measure := func(all []bounded, rounds int, lines []string, env ...string) error {
			if !slices.ContainsFunc(all, wanted) {
				return nil
			}
			for _, line := range lines {
				if _, err := once(dir, line, env...); err != nil {
					return err
				}
			}
			for _, m := range all {
				if !wanted(m) {
					continue
				}
				a := Amount{Name: m.name, Does: m.line, Size: size, Unit: "bytes", AtMost: m.most}
				for range rounds {
					r, err := once(dir, m.line, env...)
					if err != nil {
						return err
					}
					a.Value = max(a.Value, r.peak)
				}
				done(a)
			}
			return nil
		}
		for _, line := range []string{
			fmt.Sprintf("while cat src.tar; do :; done | head -c %d >big", size),
			"bulla encrypt -q --no-sync --force -R key.pub -o big.bulla big",
		} {
			if _, err := once(dir, line); err != nil {
				return err
			}
		}
		if err := measure(memoryOf, 3, []string{
			"bulla encrypt -q --no-sync --force -z --level 1 -R key.pub -o big.z big",
			"bulla parity create -q --no-sync --force -o big.parity big.bulla",
			"cp big.bulla hole && dd if=/dev/zero of=hole conv=notrunc bs=64K seek=9 count=20 status=none",
		}); err != nil {
			return err
		}
		if store == nil {
			continue
		}
		if err := measure(objectsOf, 1, []string{
			"rm -rf store/bucket/* enc* ver* dec* file*",
			"bulla encrypt -q --force -R key.pub -o s3://bucket/in.bulla big",
			fmt.Sprintf("bulla job encrypt -q --volume-size %d -R key.pub -o s3://bucket/set --into s3://bucket/enc s3://bucket/in.bulla --allow double", 2*size),
			"bulla job verify -q --parts 1 -i key --into s3://bucket/ver s3://bucket/in.bulla",
			"bulla job decrypt -q --parts 1 -i key -o s3://bucket/plain --into s3://bucket/dec s3://bucket/in.bulla",
			"bulla job decrypt -q --parts 1 -i key -o file.plain --into file big.bulla",
		}, store...); err != nil {
			return err
		}
	}
	return nil
}

// server starts a store of objects, whose bucket is the folder store/bucket in dir, and returns the
// environment in which it is used: nil if there is none to be started.
func server(dir string) (env []string, stop func(), err error) {
	if why := missing("versitygw"); why != "" {
		fmt.Println("objects are left out:", why)
		return nil, func() {}, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	address := l.Addr().String()
	l.Close()
	if err := os.MkdirAll(filepath.Join(dir, "store", "bucket"), 0o700); err != nil {
		return nil, nil, err
	}
	cmd := exec.Command("versitygw", "--quiet", "--port", address, "posix", "store")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "ROOT_ACCESS_KEY=x", "ROOT_SECRET_KEY=x")
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() { cmd.Process.Kill(); cmd.Wait() }
	for range 200 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return storeEnv("http://" + address), stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return nil, nil, errors.New("versitygw does not answer at " + address)
}

// storeEnv is the environment in which a store is used.
func storeEnv(url string) []string {
	return []string{"AWS_ENDPOINT_URL=" + url, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_REGION=us-east-1",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true"}
}

// requests counts the requests that reading parts of objects takes, as the store sees them: a
// server that gives what lies in a folder, and ranges of it.
func requests(dir string, filter *regexp.Regexp, done func(Amount)) error {
	if !filter.MatchString("requests/") {
		return nil
	}
	dir, err := os.MkdirTemp(dir, "bulla-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	const size, members, member = 64 << 20, 1000, 20 << 10
	if err := prepare(dir, size, "in.bulla"); err != nil {
		return err
	}
	if err := manyMembers(filepath.Join(dir, "many.tar"), members, member); err != nil {
		return err
	}
	if _, err := once(dir, "mkdir bucket && mv in.bulla bucket && bulla encrypt -q -R key.pub -o bucket/many.bulla many.tar"); err != nil {
		return err
	}
	var asked atomic.Int64
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("ETag", `"1"`)
		http.ServeFile(w, r, filepath.Join(dir, filepath.FromSlash(r.URL.Path)))
	}))
	defer store.Close()
	env := storeEnv(store.URL)
	for _, a := range []Amount{
		{Name: "requests/cat --range of 1 MiB", Does: "bulla cat -i key --range 33333333+1M s3://bucket/in.bulla >/dev/null", Size: size, AtMost: 4},
		{Name: "requests/ls of 1,000 members", Does: "bulla ls -i key s3://bucket/many.bulla >/dev/null", Size: members * member, AtMost: 40},
		{Name: "requests/extract of 1,000 members", Does: "bulla extract -q -i key -C out --no-sync s3://bucket/many.bulla", Size: members * member, AtMost: 40},
	} {
		asked.Store(0)
		if _, err := once(dir, a.Does, env...); err != nil {
			return err
		}
		a.Unit, a.Value = "requests", asked.Load()
		done(a)
	}
	return nil
}

// manyMembers writes a tar of so many members of so many bytes.
func manyMembers(name string, members int, size int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for i := range members {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("f%04d", i), Size: size, Mode: 0o600}); err != nil {
			return err
		}
		if _, err := io.Copy(w, strings.NewReader(strings.Repeat("x", int(size)))); err != nil {
			return err
		}
	}
	return w.Close()
}
