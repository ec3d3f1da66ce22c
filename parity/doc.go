// Package parity makes and uses the parity file of a container: checksums of its
// chunks, and Reed–Solomon parity to compute lost ones again (spec/parity.md). It
// needs no key and knows none.
//
//	container ──▶ Maker ──▶ NAME.bulla.parity     in one pass, of any length
//	container, parity file ──▶ Scrub  ──▶ Report  what is damaged, and can it be repaired
//	                       ──▶ Repair ──▶ the container, in place or in a copy
//
// Chunk i of a window of 128·D chunks is in group i mod D, so that a hole takes one
// chunk of every group before it takes a second of any:
//
//	  0    1  …  D-1
//	  D  D+1  … 2D-1     the 128 chunks of a column are a group, and under it
//	  …                  stand its m parity cells: any m of these 128+m may be lost
//	127D      …
//
// The checksums find what media do to files; they authenticate nothing. A repair
// without a key believes the parity file. So [Repair] saves what it overwrites first,
// and takes an [Opener] where a key is at hand.
package parity
