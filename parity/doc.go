// Package parity makes and uses the parity file of a container: checksums of its
// chunks, and Reed–Solomon parity to compute lost ones again (spec/parity.md). It
// needs no key and knows none.
//
//	container ──▶ Maker ──▶ NAME.bulla.parity     in one pass, of any length
//	container, parity file ──▶ Scrub  ──▶ Report  what is damaged, and can it be repaired
//	                       ──▶ Repair ──▶ the container, in place or written anew
//
// Chunk i of a window of 128·D chunks is in group i mod D, so that a hole takes one
// chunk of every group before it takes a second of any:
//
//	chunk   0   1   2  …  D-1
//	        D  D+1 …      2D-1     128 chunks, downwards, are a group; under it
//	        …                      stand its m parity cells. Any m of these
//	       127D …                  128+m may be lost.
//
// Scrub and Repair read only what their limits bound, whatever a parity file says:
// at most 300 KiB of tables a window. Maker holds m cells of 64 KiB a lane and up to
// 64 MiB of chunks; Repair 64 KiB for each chunk that it recovers in a window, and
// for the groups that it works on.
//
// The checksums find what media do to files; they authenticate nothing. A repair
// without a key believes the parity file. So [Repair] in place saves what it
// overwrites first, and takes an [Opener] where a key is at hand.
package parity
