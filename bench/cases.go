//go:build unix

package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// A pair is two command lines that do comparable work: with cp both make what
// they write durable, with the others neither does. They run in a folder
// with the files that prepare makes, and leave what they write in "out". In m the
// container of "in" is mounted; both are in memory, so that the goal is about what the way
// by FUSE and the decryption cost.
type pair struct {
	name         string
	ours, theirs string
	needs        string  // the program that theirs runs
	goal         float64 // least ratio of the speeds, 0 for none
	input        string  // the plaintext, whose size the rates go by; "" is "in"
}

func cases(place string) []pair {
	const copyIn = "cp --reflink=never in out && sync out"
	goal := map[string]float64{"disk": 0.95, "tmpfs": 0.80}[place]
	return []pair{
		{place + "/encrypt vs cp", "bulla encrypt -q -R key.pub -o out in", copyIn, "cp", goal, ""},
		{place + "/decrypt vs cp", "bulla decrypt -q -i key -o out in.bulla", copyIn, "cp", goal, ""},
		{place + "/encrypt vs age", "bulla encrypt -q --no-sync -R key.pub -o out in", "age -R key.pub -o out in", "age", 2.0, ""},
		{place + "/decrypt vs age", "bulla decrypt -q --no-sync -i key -o out in.bulla", "age -d -i key -o out in.age", "age", 3.0, ""},
		{place + "/encrypt pipe vs age", "cat in | bulla encrypt -q -R key.pub | cat >/dev/null", "cat in | age -R key.pub | cat >/dev/null", "age", 2.8, ""},
		{place + "/decrypt pipe vs age", "cat in.bulla | bulla decrypt -q -i key | cat >/dev/null", "cat in.age | age -d -i key | cat >/dev/null", "age", 2.8, ""},
		{place + "/encrypt vs openssl ctr", "bulla encrypt -q --no-sync -R key.pub -o out in", "openssl enc -aes-256-ctr -pbkdf2 -pass pass:x -in in -out out", "openssl", 0, ""},
		{place + "/verify vs sha256sum", "bulla verify -q -i key in.bulla", "sha256sum in.bulla", "sha256sum", 0, ""},
		{place + "/encrypt --parity vs without", "bulla encrypt -q --no-sync --force --parity 5 --parity-file out.parity -R key.pub -o out in", "bulla encrypt -q --no-sync -R key.pub -o out in", "cat", map[string]float64{"disk": 0.9, "tmpfs": 0.6}[place], ""},
		{place + "/encrypt --sign vs without", "bulla encrypt -q --no-sync --force --sign ssh -R key.pub -o out in", "bulla encrypt -q --no-sync --force -R key.pub -o out in", "ssh-keygen", map[string]float64{"tmpfs": 0.65}[place], ""},
		{place + "/parity create vs par2", "bulla parity create -q --no-sync -o out in.bulla", "rm -f x.*par2 && par2 create -q -q -r5 x.par2 in.bulla >/dev/null", "par2", 5, ""},
		{place + "/repair vs par2", "bulla repair -q --no-sync --parity-file in.parity -o out hole.bulla", "cp hole.bulla par2/in.bulla && par2 repair -q -q par2/x.par2 >/dev/null", "par2", 5, ""},
		{place + "/scrub vs cat", "bulla scrub -q --parity-file in.parity in.bulla", "cat in.bulla >/dev/null", "cat", 0, ""},
		{place + "/set vs file, encrypt", "bulla encrypt -q --no-sync --volume-size 64M -R key.pub -o out in", "bulla encrypt -q --no-sync -R key.pub -o out in", "cat", 0.97, ""},
		{place + "/set vs file, decrypt", "bulla decrypt -q --no-sync -i key -o out in.set", "bulla decrypt -q --no-sync -i key -o out in.bulla", "cat", 0.97, ""},
		{place + "/mount vs cat", "cat m/in >/dev/null", "cat in >/dev/null", "fusermount3", 0.7, ""},
		{place + "/mount vs cat, to a pipe", "cat m/in | cat >/dev/null", "cat in | cat >/dev/null", "fusermount3", 0.7, ""},
		{place + "/two parts vs encrypt -j 2", "rm -f enc.job/*.done enc.set.0*; " + twoParts("enc.job"), "bulla encrypt -q -j 2 --volume-size $(cat half) -R key.pub -o out in", "cat", 0.9, ""},
		{place + "/two parts vs verify -j 2", "rm -f ver.job/*.done; " + twoParts("ver.job"), "bulla verify -q -j 2 -i key in.bulla", "cat", 0.9, ""},
		{place + "/compress -1 vs zstd -T2", "bulla encrypt -q --no-sync -z --level 1 -R key.pub -o out src.tar", "zstd -q -f -T2 -1 src.tar -o out", "zstd", 1.0, "src.tar"},
		{place + "/compress -3 vs zstd -T2", "bulla encrypt -q --no-sync -z --level 3 -R key.pub -o out src.tar", "zstd -q -f -T2 -3 src.tar -o out", "zstd", 0.8, "src.tar"},
		{place + "/decompress vs zstd -d", "bulla decrypt -q -i key -o - src.bulla >/dev/null", "zstd -q -d -c src.zst >/dev/null", "zstd", 2.0, "src.tar"},
		{place + "/decompress to file", "bulla decrypt -q --no-sync -i key -o out src.bulla", "zstd -q -f -d src.zst -o out", "zstd", 0, "src.tar"},
	}
}

// twoParts runs both parts of a job at once, on a core each.
func twoParts(job string) string {
	part := "bulla job run -q -j 1 " + job + " --part "
	return part + "0 & " + part + "1 && wait $!"
}

// build builds the command into dir.
func build(dir string) error {
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bulla"), "bulla/cmd/bulla")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the README has it
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command: %w: %s", err, out)
	}
	return nil
}

// prepare builds the command into dir, makes a key and the inputs: n random
// bytes and a tar of Go's source tree, and the containers of them.
func prepare(dir string, n int64) error {
	if err := build(dir); err != nil {
		return err
	}
	in, err := os.Create(filepath.Join(dir, "in"))
	if err != nil {
		return err
	}
	_, err = io.CopyN(in, rand.Reader, n)
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	lines := []string{
		"bulla keygen -o key 2>/dev/null",
		"bulla keygen -y key >key.pub",
		"bulla encrypt -q -R key.pub -o in.bulla in",
		"tar cf src.tar -C \"$(go env GOROOT)\" src",
		"bulla encrypt -q -z -R key.pub -o src.bulla src.tar",
	}
	lines = append(lines,
		"bulla encrypt -q --volume-size 64M -R key.pub -o in.set in",
		fmt.Sprintf("echo %d >half", n/2+4<<20), // bytes of a volume: there are two
		"bulla job encrypt -q --volume-size $(cat half) -R key.pub -o enc.set --into enc.job in",
		"bulla job verify -q --parts 2 -i key --into ver.job in.bulla",
		"bulla parity create -q --no-sync -o in.parity in.bulla",
		"cp in.bulla hole.bulla && dd if=/dev/zero of=hole.bulla conv=notrunc bs=64K seek=100 count=50 status=none")
	if _, err := exec.LookPath("ssh-keygen"); err == nil {
		lines = append(lines, "ssh-keygen -q -t ed25519 -N '' -f ssh")
	}
	if _, err := exec.LookPath("par2"); err == nil {
		lines = append(lines, "mkdir par2 && ln in.bulla par2/in.bulla && cd par2 && par2 create -q -q -r5 x.par2 in.bulla >/dev/null && rm in.bulla")
	}
	if _, err := exec.LookPath("fusermount3"); err == nil {
		lines = append(lines, "mkdir m && bulla mount --background -i key in.bulla m >/dev/null 2>&1")
	}
	if _, err := exec.LookPath("age"); err == nil {
		lines = append(lines, "age -R key.pub -o in.age in")
	}
	if _, err := exec.LookPath("zstd"); err == nil {
		lines = append(lines, "zstd -q -T2 -3 src.tar -o src.zst")
	}
	for _, line := range lines {
		if _, _, err := once(dir, line); err != nil {
			return err
		}
	}
	return nil
}
