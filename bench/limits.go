//go:build unix

package main

import "strings"

// limitsOf says for everything with a goal what limits it: docs/performance.md has the sentence
// where the goal is not met. The key is how the name begins, without the place, or with it where
// places differ; the first that fits counts.
var limitsOf = []struct{ name, limit string }{
	{"encrypt vs cp", "Both wait until the disk has everything. `cp` copies within the kernel; bulla copies each byte in and out. AES-GCM is a tenth of its processor time."},
	{"decrypt vs cp", "Both wait until the disk has everything. `cp` copies within the kernel; bulla copies each byte in and out. AES-GCM is a tenth of its processor time."},
	{"encrypt vs dd", "Copies of the kernel. Profile: reading 33 % of the processor time, writing 30 %, AES-GCM 10 %, the rest scheduling and faults. `dd` makes the same copies, and nothing else."},
	{"decrypt vs dd", "Copies of the kernel. Profile: reading 40 % of the processor time, writing 25 %, AES-GCM 10 %, the rest scheduling and faults. `dd` makes the same copies, and nothing else."},
	{"encrypt, pipe vs cat", "Three processes share two cores, and the middle one seals besides. Profile of bulla: AES-GCM 24 % of its processor time, switches between contexts 22 %, copies 15 %, pages of the pipes 6 %. For 256 MiB it takes 0.5 s, three `cat` take 0.2 s."},
	{"decrypt, pipe vs cat", "Three processes share two cores, and the middle one opens besides. Profile of bulla: AES-GCM 24 % of its processor time, switches between contexts 22 %, copies 15 %, pages of the pipes 6 %. For 256 MiB it takes 0.5 s, three `cat` take 0.2 s."},
	{"encrypt, pipe vs age", "Pipes: of the processor time AES-GCM is 24 %, switches between contexts are 22 %, copies 15 %. age's ChaCha20-Poly1305 runs on one core, while the other is free for its pipes."},
	{"decrypt, pipe vs age", "Pipes: of the processor time AES-GCM is 24 %, switches between contexts are 22 %, copies 15 %. age's ChaCha20-Poly1305 runs on one core, while the other is free for its pipes."},
	{"encrypt -z --level 1 vs zstd and age", "The codec, klauspost/compress, has 0.83 to 1.0 of the speed of the `zstd` command at level 1, depending on the processor. Cutting, ordering and sealing cost what the table says for compression against the codec alone. An encoder of our own was refused: a library that is well kept is worth more."},
	{"decrypt vs age and zstd", "Frames are decompressed on all cores, and written in order; the counterpart is two processes that share the cores."},
	{"encrypt --volume-size", "All chunks of a volume are sealed before the next one begins; only its getting a name goes on beside that."},
	{"decrypt a set", "Each volume fills and empties the buffers anew; only its opening goes on beside the volume before."},
	{"two parts of a job", "Each part is a process of its own, which reads the plan and the keys first and has one core for all it does."},
	{"mount vs cat", "The way through the kernel's page cache. A file system of this kind that gives zeros without any work reached 0.69 of `cat` on a file in memory; the copies into the cache and out of it are 58 % of the processor time, reading the container 20 %, opening it 22 %."},
	{"slow disk/encrypt --parity", "A twentieth more is written, the last of it after the container."},
	{"encrypt --parity", "Processor time: both cores are busy, and 1 GiB takes 1.3 s of it where encrypting alone takes 0.8. Of all, adding to the cells is 9 %, multiplying 7 %, page faults 4 %, checksums 4 %; AES-GCM writes to buffers that are not in the cache, since those before still wait."},
	{"encrypt --sign", "Processor time: every byte is hashed with SHA-256 besides, in the worker that sealed it, and a core hashes 1.5 to 1.9 GB/s. So 1 GiB takes 1.4 s of it where encrypting alone takes 0.8, and both cores are busy: that bounds it at 0.60 to 0.68."},
	{"scrub vs cat", "Reading: 84 % of the processor time is the kernel's copy, the rest a checksum of each chunk."},
	{"parity create vs par2", "Each byte is multiplied once for each parity cell of its group."},
	{"repair vs par2", "The file is read to find what is damaged, and a whole copy is written."},
	{"Writer vs sealing alone", "90 % of the processor time is AES-GCM. Its buffers, 2.5 MiB that pass from core to core, come from a slower cache than the one small buffer for each core of sealing alone."},
	{"Reader vs opening alone", "AES-GCM is 39 % of the processor time, copying from the source into the buffers 37 %, clearing these once 14 %. Opening alone copies nothing."},
	{"Verify vs opening alone", "AES-GCM is 44 % of the processor time, copying from the source into the buffers 41 %, clearing these once 5 %. Opening alone copies nothing."},
	{"peak of", "The program itself, the runtime's heap at its largest, and buffers for each core."},
	{"cat --range", "The head, the tail and the range itself."},
	{"ls of", "Reading ahead in pieces of up to 4 MiB."},
	{"extract of", "Reading ahead in pieces of up to 4 MiB."},
}

// limitOf is what limits the case or amount of a name, "" if nothing is known.
func limitOf(name string) string {
	_, what, _ := strings.Cut(name, "/")
	for _, l := range limitsOf {
		if strings.HasPrefix(what, l.name) || strings.HasPrefix(name, l.name) {
			return l.limit
		}
	}
	return ""
}
