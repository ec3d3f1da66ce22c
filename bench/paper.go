//go:build unix

package main

import (
	"fmt"
	"io"
	"time"

	"bulla/format"
	"bulla/set"
)

// What docs/scale.md computes with. The rates are those of common machines and what AWS documents
// of S3; requests and memory were counted by job run -v.
const (
	archive = 1 << 50 // bytes of plaintext
	workers = 1000

	networkRate = 10e9 / 8 // bytes a second and worker, each way
	diskRate    = 500e6    // bytes a second and worker
	coreRate    = 1e9      // bytes a second that a core seals or opens
	sharedRate  = 100e9    // bytes a second of a shared file system
	getRate     = 5500     // requests a second on one prefix
	putRate     = 3500
	roundTrip   = 20 * time.Millisecond

	readPiece    = 4 << 20  // bytes of a request that reads
	firstPart    = 16 << 20 // bytes of a part that is sent: they double
	doubleAfter  = 1250     // parts
	outputPiece  = 64 << 20 // bytes of a piece of an output of decrypt
	runRequests  = 26       // of a run of a part, besides content
	endRequests  = 4        // of finish, for a volume
	finishAtOnce = 16       // of these
	entry        = 112      // bytes of an index for a volume
	grant        = 8416     // bytes of a part's keys
)

// volumeBytes is the content of a volume whose container has 64 GiB.
func volumeBytes() int64 {
	n, err := set.VolumeSizeFor(64<<30, format.Plain)
	if err != nil {
		panic(err)
	}
	return n
}

// sent is how many parts an object of n bytes is sent in.
func sent(n int64) (parts int64) {
	for size := int64(firstPart); n > 0; size *= 2 {
		k := min(doubleAfter, (n+size-1)/size)
		parts += k
		n -= k * size
	}
	return parts
}

// paper prints the tables of docs/scale.md.
func paper(w io.Writer) {
	v := volumeBytes()
	volumes := int64(archive)/v + 1
	const head = format.PageSize
	sealed := format.ContainerSize(v, head)
	total := volumes*2*head + archive + (archive/format.ChunkSize+volumes)*format.TagSize
	gets := func(n int64) int64 { return (n + readPiece - 1) / readPiece }
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

	line("| what | arithmetic | |")
	line("|---|---|---|")
	line("| volumes of 64 GiB | 2^50 / %d + 1 | %d |", v, volumes)
	line("| bytes of all volumes | 2^50 + 16 for each 64 KiB + heads | %.4f PiB, %.3f %% more |", float64(total)/(1<<50), 100*(float64(total)/archive-1))
	line("| requests that read 1 PiB | 2^50 / 4 MiB | %.0f million |", float64(gets(archive))/1e6)
	line("| requests that write 1 PiB as volumes | %d volumes in %d parts of 16, 32 and 64 MiB | %.0f million |", volumes, sent(sealed), float64(volumes*sent(sealed))/1e6)
	line("| requests that write 1 PiB by decrypt | 2^50 / 64 MiB | %.0f million |", float64(archive/outputPiece)/1e6)
	line("| requests of the job itself | %d in each of %d parts | %.1f million |", runRequests, volumes, float64(runRequests*volumes)/1e6)
	line("| requests of finish | %d for each of %d volumes | %d |", endRequests, volumes, endRequests*volumes)
	line("| index | %d bytes for each of %d volumes | %.1f MiB |", entry, volumes, float64(entry*volumes)/(1<<20))
	line("| grants of verify or decrypt | %d bytes for each of 1000 parts | %.1f MiB |", grant, grant*1000.0/(1<<20))
	line("| a worker's share | 2^50 / 1000 | %.3f TB |", archive/1e12/workers)
	line("")
	line("| what bounds the time | arithmetic | 1,000 workers | and more workers |")
	line("|---|---|---|---|")
	bound := func(what, how string, seconds float64, more string) {
		line("| %s | %s | %s | %s |", what, how, clock(seconds), more)
	}
	share := float64(archive) / workers
	bound("network, 10 Gbit/s a worker", "1.126 TB / 1.25 GB/s", share/networkRate, "help")
	bound("disk, 500 MB/s a worker", "1.126 TB / 500 MB/s", share/diskRate, "help")
	bound("one core a worker", "1.126 TB / 1 GB/s", share/coreRate, "help")
	bound("a shared file system, 100 GB/s in all", "2^50 / 100 GB/s", archive/sharedRate, "do not help")
	bound("reading from one prefix, 5,500 requests/s", "268 million / 5,500", float64(gets(archive))/getRate, "do not help")
	bound("writing volumes to one prefix, 3,500 requests/s", fmt.Sprintf("%.0f million / 3,500", float64(volumes*sent(sealed))/1e6), float64(volumes*sent(sealed))/putRate, "do not help")
	waves := (volumes + workers - 1) / workers
	bound("the last wave", fmt.Sprintf("%d volumes are %d waves: 1 - %d / (%d · 1000)", volumes, waves, volumes, waves), -1,
		fmt.Sprintf("%.0f %% of the time is idle", 100*(1-float64(volumes)/float64(waves*workers))))
	bound("finish, in a bucket", fmt.Sprintf("%d · 20 ms / %d at once", endRequests*volumes, finishAtOnce), float64(endRequests*volumes)*roundTrip.Seconds()/finishAtOnce, "do not help")
}

func clock(seconds float64) string {
	switch {
	case seconds < 0:
		return ""
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 2*3600:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}
