//go:build unix

package main

import (
	"fmt"
	"strings"
)

// A pair is two command lines that do comparable work, in a folder with the files that
// inputs makes. They leave what they write in "out". Goals are for speeds.
type pair struct {
	table        string // of docs/performance.md
	name         string
	goal         float64 // least ratio, 0 for none
	ours, theirs string
	tool         string // those that theirs needs and not every system has
	input        string // the plaintext, whose size rates go by; "" is "in"
	rate         float64
}

const (
	encrypt = "bulla encrypt -q -R key.pub -o out in"
	decrypt = "bulla decrypt -q -i key -o out in.bulla"
	// What is compared with another tool than cp does not wait for the disk, as that tool does not.
	encryptFile = "bulla encrypt -q --no-sync -R key.pub -o out in"
	decryptFile = "bulla decrypt -q --no-sync -i key -o out in.bulla"
	encryptPipe = "cat in | bulla encrypt -q -R key.pub | cat >/dev/null"
	decryptPipe = "cat in.bulla | bulla decrypt -q -i key | cat >/dev/null"
	compress    = "bulla encrypt -q --no-sync -z --level 1 -R key.pub -o out src.tar"
	decompress  = "bulla decrypt -q --no-sync -i key -o out src.bulla"

	cp  = "cp --reflink=never in out && sync out" // durable, as bulla's files are
	dd  = "dd if=in of=out bs=256k status=none"
	cat = "cat in | cat | cat >/dev/null"
	gpg = "gpg -q --batch --yes --trust-model always "
)

// slowDisk is a disk that writes slowRate bytes a second, if it is not slower by itself.
const (
	slowDisk = "slow disk"
	slowRate = 1e9
)

// cases are the pairs of a place, for an input of n bytes.
func cases(place string, n int64) []pair {
	volumes := fmt.Sprint("--volume-size ", halfOf(n))
	parity := "bulla encrypt -q --force --parity 5 --parity-file out.parity -R key.pub -o out in"
	switch place {
	case slowDisk: // twice as much, as the kernel counts by tenths of a second
		return []pair{{"repair", "encrypt --parity 5% vs without", 0.9, parity + ".twice", encrypt + ".twice", "", "in.twice", 0}}
	case "disk":
		return []pair{
			{"copy", "encrypt vs cp", 1.0, encrypt, cp, "", "", 0},
			{"copy", "decrypt vs cp", 1.0, decrypt, cp, "", "", 0},
			{"sets", "two parts of a job vs encrypt -j 2", 0.9, twoParts("enc.job"), "bulla encrypt -q -j 2 " + volumes + " -R key.pub -o out in", "", "", 0},
			{"sets", "two parts of a job vs verify -j 2", 0.9, twoParts("ver.job"), "bulla verify -q -j 2 -i key in.bulla", "", "", 0},
			{"repair", "encrypt --parity 5% vs without", 0, parity, encrypt, "", "", 0},
		}
	}
	return []pair{
		{"copy", "encrypt vs dd", 1.0, encrypt, dd, "", "", 0},
		{"copy", "decrypt vs dd", 1.0, decrypt, dd, "", "", 0},
		{"copy", "encrypt, pipe vs cat", 1.0, encryptPipe, cat, "", "", 0},
		{"copy", "decrypt, pipe vs cat", 1.0, decryptPipe, cat, "", "", 0},

		{"tools", "encrypt vs age", 0, encryptFile, "age -R key.pub -o out in", "age", "", 0},
		{"tools", "decrypt vs age", 0, decryptFile, "age -d -i key -o out in.age", "age", "", 0},
		{"tools", "encrypt, pipe vs age", 2.4, encryptPipe, "cat in | age -R key.pub | cat >/dev/null", "age", "", 0},
		{"tools", "decrypt, pipe vs age", 2.4, decryptPipe, "cat in.age | age -d -i key | cat >/dev/null", "age", "", 0},
		{"tools", "encrypt vs gpg", 0, encryptFile, gpg + "--compress-algo none -r bench -o out -e in", "gpg", "", 0},
		{"tools", "decrypt vs gpg", 0, decryptFile, gpg + "-o out -d in.gpg", "gpg", "", 0},
		{"tools", "encrypt vs openssl, unauthenticated", 0, encryptFile, "openssl enc -aes-256-ctr -pbkdf2 -pass pass:x -in in -out out", "openssl", "", 0},
		{"tools", "decrypt vs openssl, unauthenticated", 0, decryptFile, "openssl enc -d -aes-256-ctr -pbkdf2 -pass pass:x -in in.ctr -out out", "openssl", "", 0},
		{"tools", "encrypt vs rclone crypt", 0, encryptFile, "rclone copyto -q --ignore-times in w:in", "rclone", "", 0},
		{"tools", "decrypt vs rclone crypt", 0, decryptFile, "rclone copyto -q --ignore-times r:in out", "rclone", "", 0},
		{"tools", "verify vs sha256sum", 0, "bulla verify -q -i key in.bulla", "sha256sum in.bulla", "", "", 0},

		{"compress", "encrypt -z --level 1 vs zstd and age", 1.0, compress, "zstd -q -T0 -1 -c src.tar | age -R key.pub -o out", "zstd age", "src.tar", 0},
		{"compress", "decrypt vs age and zstd", 1.5, decompress, "age -d -i key src.zst.age | zstd -q -d -o out", "zstd age", "src.tar", 0},
		{"compress", "encrypt -z --level 1 vs zstd alone", 0, compress, "zstd -q -T0 -1 src.tar -o out", "zstd", "src.tar", 0},
		{"compress", "encrypt -z --level 3 vs zstd alone", 0, strings.Replace(compress, "1", "3", 1), "zstd -q -T0 -3 src.tar -o out", "zstd", "src.tar", 0},
		{"compress", "decrypt vs zstd alone, to nowhere", 0, "bulla decrypt -q -i key -o - src.bulla >/dev/null", "zstd -q -d -c src.zst >/dev/null", "zstd", "src.tar", 0},

		{"sets", "encrypt --volume-size 64M vs one file", 0.97, "bulla encrypt -q --no-sync --volume-size 64M -R key.pub -o out in", encryptFile, "", "", 0},
		{"sets", "decrypt a set vs one file", 0.97, "bulla decrypt -q --no-sync -i key -o out in.set", decryptFile, "", "", 0},
		{"sets", "two parts of a job vs encrypt -j 2", 0.9, twoParts("enc.job"), "bulla encrypt -q -j 2 " + volumes + " -R key.pub -o out in", "", "", 0},
		{"sets", "two parts of a job vs verify -j 2", 0.9, twoParts("ver.job"), "bulla verify -q -j 2 -i key in.bulla", "", "", 0},
		{"sets", "mount vs cat", 0.7, "cat m/in >/dev/null", "cat in >/dev/null", "fusermount3", "", 0},
		{"sets", "mount vs cat, to a pipe", 0.7, "cat m/in | cat >/dev/null", "cat in | cat >/dev/null", "fusermount3", "", 0},

		{"repair", "encrypt --parity 5% vs without", 0.6, parity, encrypt, "", "", 0},
		{"repair", "encrypt --sign vs without", 0.65, "bulla encrypt -q --no-sync --sign ssh -R key.pub -o out in", encryptFile, "ssh-keygen", "", 0},
		{"repair", "scrub vs cat", 0, "bulla scrub -q --parity-file in.parity in.bulla", "cat in.bulla >/dev/null", "", "", 4e9},
		{"repair", "parity create vs par2", 5, "bulla parity create -q --no-sync -o out small.bulla", "rm -f x.*par2 && par2 create -q -q -r5 x.par2 small.bulla >/dev/null", "par2", "small", 0},
		{"repair", "repair vs par2", 5, "bulla repair -q --no-sync --parity-file small.parity -o out hole.bulla",
			"rm -f par2/*.1 && cp hole.bulla par2/small.bulla && par2 repair -q -q par2/x.par2 >/dev/null", "par2", "small", 0},
	}
}

// inputs are the files of cases, each with the line that makes it where a case names it, and a tool
// that this takes. In m the container of "in" is mounted.
func inputs(n int64) []input {
	return []input{
		{"in.bulla", "", "bulla encrypt -q -R key.pub -o in.bulla in"},
		{"in.twice", "", "cat in in >in.twice"},
		{"in.set", "", "bulla encrypt -q --volume-size 64M -R key.pub -o in.set in"},
		{"in.parity", "", "bulla parity create -q --no-sync -o in.parity in.bulla"},
		{"enc.job", "", fmt.Sprintf("bulla job encrypt -q --volume-size %d -R key.pub -o out.set --into enc.job in", halfOf(n))},
		{"ver.job", "", "bulla job verify -q --parts 2 -i key --into ver.job in.bulla"},
		{"m/in", "fusermount3", "mkdir m && bulla mount --background -i key in.bulla m >/dev/null 2>&1"},
		{"ssh", "ssh-keygen", "ssh-keygen -q -t ed25519 -N '' -f ssh"},
		{"in.age", "age", "age -R key.pub -o in.age in"},
		{"gpg", "gpg", "mkdir -m 700 gnupg && gpg -q --batch --passphrase '' --quick-gen-key bench default default never && " + gpg + "--compress-algo none -r bench -o in.gpg -e in"},
		{"in.ctr", "openssl", "openssl enc -aes-256-ctr -pbkdf2 -pass pass:x -in in -out in.ctr"},
		{"rclone", "rclone", "for r in r:in.rc w:out.rc; do rclone config create ${r%%:*} crypt remote=${r#*:} password=bench --obscure >/dev/null; done && rclone copyto -q in r:in"},
		{"src.tar", "", fmt.Sprintf("tar cf - -C \"$(go env GOROOT)\" src | head -c %d >src.tar", n)},
		{"src.bulla", "", "bulla encrypt -q -z -R key.pub -o src.bulla src.tar"},
		{"src.zst", "zstd", "zstd -q -T0 -3 src.tar -o src.zst"},
		{"src.zst.age", "age", "age -R key.pub -o src.zst.age src.zst"},
		{"small", "", fmt.Sprintf("head -c %d in >small && bulla encrypt -q -R key.pub -o small.bulla small", smallOf(n))},
		{"small.parity", "", "bulla parity create -q --no-sync -o small.parity small.bulla"},
		{"hole.bulla", "", fmt.Sprintf("cp small.bulla hole.bulla && dd if=/dev/zero of=hole.bulla conv=notrunc bs=4K seek=100 count=%d status=none", smallOf(n)/32>>12)},
		{"par2/x.par2", "par2", "mkdir par2 && ln small.bulla par2/small.bulla && cd par2 && par2 create -q -q -r5 x.par2 small.bulla >/dev/null && rm small.bulla"},
	}
}

// An input is a file, or what else there is to be, that line makes.
type input struct{ name, tool, line string }

// halfOf is the size of the volumes of a set of two.
func halfOf(n int64) int64 { return n/2 + 4<<20 }

// smallOf is the size of an input for what takes minutes for a GiB.
func smallOf(n int64) int64 { return max(n/32, 1<<20) }

// twoParts runs both parts of a job at once, on a core each.
func twoParts(job string) string {
	part := "bulla job run -q -j 1 " + job + " --part "
	return "rm -f " + job + "/*.done; " + part + "0 & " + part + "1 && wait $!"
}
