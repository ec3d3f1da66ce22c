// A scrub by parity files, and a maker of them, written from ../parity.md alone.
//
//   node parity.mjs CONTAINER PARITY
//
// Containers and parity files are sources, as in reader.mjs. Sizes are numbers here.

import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { agree, concat, copyOf, crc32c, Failure, fileSource } from './reader.mjs';

const L = 65552, PAGE = 4096, BLOCK = 512, PER_BLOCK = 63, REACH = 65536, MAGIC = Buffer.from('bullapar');
const be32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const be64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b; };

// sourceOf is a source of bytes.
export const sourceOf = (bytes) => ({ size: BigInt(bytes.length), read: (off, n) => bytes.subarray(Number(off), Number(off) + n) });

// at reads n bytes, fewer where the source has not as many.
function at(source, off, n) {
  return off < 0 || off >= source.size ? Buffer.alloc(0) : source.read(BigInt(off), n);
}

// ---- geometry (section 1) and layout (section 2) ----

class Geometry {
  // Without N nothing is known but the places of full windows.
  constructor(m, D, identity, N = Infinity, last = 0) {
    Object.assign(this, { m, D, identity, N, last, H: identity.readUInt16BE(14) * PAGE, W: 128 * D });
    for (this.G = N > this.W ? D : 2; 128 * this.G < N && this.G < D;) this.G *= 2;
    this.c = N === 1 ? last : L;
    this.S = 2 * BLOCK + 2 * BLOCK * Math.ceil((this.W + D * m) / PER_BLOCK) + L * D * m;
  }

  get valid() { // PAR-3
    const { m, D, H } = this;
    return m >= 1 && m <= 128 && [16, 32, 64, 128, 256].includes(D) && m * D <= 4096 && H >= PAGE && H <= 64 * PAGE;
  }

  get size() { return 2 * this.H + L * (this.N - 1) + this.last; }
  get windows() { return Math.ceil(this.N / this.W); }
  chunkAt(i) { return this.H + L * i; }
  length(i) { return i === this.N - 1 ? this.last : L; }
  position(r) { return Math.floor(r / this.D) ^ Math.floor(128 * (r % this.D) / this.D); }

  // window is where everything of window w stands.
  window(w) {
    const start = BLOCK + this.H + w * this.S, n = Math.min(this.W, this.N - w * this.W), g = Math.min(this.G, n);
    const table = BLOCK * Math.ceil((n + g * this.m) / PER_BLOCK), cells = start + BLOCK + table, end = cells + this.c * g * this.m;
    return { n, g, table, cells, headers: [start, end + table], tables: [start + BLOCK, end], end: end + table + BLOCK };
  }

  header(kind, w) {
    const [n, last] = { 0: [0, 0], 1: [this.W, L], 2: [this.N - w * this.W, this.last] }[kind];
    const sizes = Buffer.of(1, kind, 0, this.m, this.D >> 8, this.D & 255, 0, 0);
    const b = concat(MAGIC, sizes, this.identity, be64(w), be32(n), be32(last), Buffer.alloc(380));
    return concat(b, be32(crc32c(b)));
  }

  blockSum(w, block) { return crc32c(concat(this.identity, be64(w), block.subarray(0, 508))); }
}

// headerOf parses a header (PAR-1 to PAR-3).
function headerOf(source, off) {
  const b = at(source, off, BLOCK), fail = (clause) => { throw new Failure(clause, off); };
  if (b.length < BLOCK || !b.subarray(0, 8).equals(MAGIC) || b.readUInt32BE(508) !== crc32c(b.subarray(0, 508))) fail('PAR-1');
  if (b[8] !== 1) fail('PAR-2');
  const kind = b[9], w = Number(b.readBigUInt64BE(112)), n = b.readUInt32BE(120), last = b.readUInt32BE(124);
  const args = [b.readUInt16BE(10), b.readUInt16BE(12), b.subarray(16, 112)];
  let g = new Geometry(...args);
  if (!g.valid || kind > 2 || w >= 2 ** 46 / g.W) fail('PAR-3');
  if (kind === 2) {
    if (n < 1 || n > g.W || last < 16 || last >= L) fail('PAR-3');
    g = new Geometry(...args, w * g.W + n, last);
  }
  if (!g.header(kind, w).equals(b)) fail('PAR-3');
  return { g, kind, w };
}

// geometryOf finds out what the parity file is of (PAR-12).
function geometryOf(par, containerSize) {
  const size = Number(par.size), windows = Array.from({ length: 64 }, (_, p) => BLOCK + PAGE * (p + 1));
  let first, why;
  for (const off of [0, size - BLOCK, ...windows]) {
    try {
      const h = headerOf(par, off);
      if ((h.kind === 0) === (off === 0)) { first = h.g; break; }
    } catch (e) {
      if (!(e instanceof Failure)) throw e;
      if (!why || e.clause === 'PAR-2') why = e;
    }
  }
  if (!first) throw why;
  const begin = BLOCK + first.H, lastStart = begin + Math.floor((size - 1 - begin) / first.S) * first.S;
  for (const off of [size - BLOCK, lastStart]) {
    try {
      const { g, kind, w } = headerOf(par, off);
      const same = kind === 2 && g.m === first.m && g.D === first.D && g.identity.equals(first.identity); // PAR-4
      if (same && g.window(w).headers.includes(off)) return g;
    } catch (e) {
      if (!(e instanceof Failure)) throw e;
    }
  }
  const payload = containerSize - 2 * first.H, last = payload % L;
  if (payload < 16 || last < 16) throw new Failure('PAR-1');
  return new Geometry(first.m, first.D, first.identity, Math.floor(payload / L) + 1, last);
}

// tableOf returns the entries of window w, null for those that there are none of (PAR-6, PAR-13).
function tableOf(par, g, w) {
  const place = g.window(w), entries = [];
  for (let block = 0; block < place.table / BLOCK; block++) {
    const good = place.tables.map((t) => at(par, t + block * BLOCK, BLOCK)).find((b) => b.length === BLOCK
      && b.readUInt32BE(504) === block && b.readUInt32BE(508) === g.blockSum(w, b));
    for (let e = 0; e < PER_BLOCK; e++) entries.push(good ? good.subarray(8 * e, 8 * e + 8) : null);
  }
  return entries;
}

const entryOf = (b) => concat(be32(crc32c(b)), b.subarray(-4));
const fits = (entry, b, n) => entry !== null && b.length === n && entry.subarray(4).equals(b.subarray(-4)) && entry.equals(entryOf(b));

// ---- scrub (section 5) ----

// scrub returns what is wrong with a container, with the numbers of the chunks concerned.
export function scrub(container, par) {
  const size = Number(container.size), g = geometryOf(par, size), expected = g.size;
  const copy = (off, place) => copyOf(at(container, off, g.H), place);
  const head = copy(0, 'head'), tail = copy(expected - g.H, 'tail'), end = copy(size - g.H, 'tail');
  agree(head, tail);
  agree(head, end);
  if ([head, tail, end].some((c) => c.id && !c.id.equals(g.identity))) return { other: true }; // PAR-5
  const found = { chunks: g.N, damaged: [], moved: [], lost: [], head: !!head.id, tail: !!tail.id, cells_damaged: 0, margin: g.m };
  const shifts = new Set();
  for (let w = 0; w < g.windows; w++) window(container, par, g, w, size - expected, shifts, found);
  found.margin = Math.max(0, found.margin);
  found.hole = found.margin && (found.margin * g.G - 1) * L + 1; // PAR-17
  return found;
}

function window(container, par, g, w, longer, shifts, found) {
  const place = g.window(w), entries = tableOf(par, g, w), base = w * g.W, numbers = [...Array(place.n).keys()];
  const stands = (r, s) => fits(entries[r], at(container, g.chunkAt(base + r) + s, g.length(base + r)), g.length(base + r));
  const bad = numbers.filter((r) => !stands(r, 0)), moved = new Set(); // PAR-15
  const beside = (r, s) => place.n === 1 || [r - 1, r + 1].some((q) => q >= 0 && q < place.n && stands(q, s));
  // search looks for chunk r by its last bytes around each guess (PAR-16).
  const search = (r) => {
    for (const s of shifts) if (stands(r, s)) return s;
    for (const guess of [0, longer]) {
      const n = g.length(base + r), from = Math.max(0, g.chunkAt(base + r) + n - 4 + guess - REACH);
      const region = at(container, from, 2 * REACH + 4);
      for (let k = -1; (k = region.indexOf(entries[r].subarray(4), k + 1)) >= 0;) {
        const s = from + k + 4 - n - g.chunkAt(base + r);
        if (stands(r, s) && beside(r, s)) return s;
      }
    }
    return undefined;
  };
  for (let more = true; more;) { // what was found may help with what comes before it
    more = false;
    for (const r of bad) {
      const s = moved.has(r) || !entries[r] ? undefined : search(r);
      if (s === undefined) continue;
      moved.add(r);
      more ||= !shifts.has(s);
      shifts.add(s);
    }
  }
  const margin = Array(place.g).fill(0);
  for (let k = 0; k < place.g * g.m; k++) {
    const good = fits(entries[place.n + k], at(par, place.cells + k * g.c, g.c), g.c);
    found.cells_damaged += !good;
    margin[k % place.g] += good;
  }
  for (const r of bad) if (!moved.has(r)) margin[r % place.g]--;
  for (const r of bad) {
    const gone = !moved.has(r) && margin[r % place.g] < 0;
    if (!entries[r] && !gone) continue; // that is damage of the parity file
    found.damaged.push(base + r);
    if (moved.has(r)) found.moved.push(base + r);
    if (gone) found.lost.push(base + r);
  }
  found.margin = Math.min(found.margin, ...margin);
}

// ---- maker (sections 1 and 2) ----

const EXP = Buffer.alloc(512), LOG = Buffer.alloc(256);
for (let i = 0, x = 1; i < 255; i++, x = (x << 1) ^ (x & 128 ? 0x11d : 0)) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
}

// make returns the parity file of a container.
export function make(container, m, D) {
  const identity = container.subarray(0, 96), H = identity.readUInt16BE(14) * PAGE, payload = container.length - 2 * H;
  const g = new Geometry(m, D, identity, Math.floor(payload / L) + 1, payload % L), out = [g.header(0, 0), container.subarray(0, H)];
  for (let w = 0; w < g.windows; w++) {
    const place = g.window(w), cells = Array.from({ length: place.g * m }, () => Buffer.alloc(g.c)), entries = [];
    for (let r = 0; r < place.n; r++) {
      const i = w * g.W + r, chunk = container.subarray(g.chunkAt(i), g.chunkAt(i) + g.length(i));
      entries.push(entryOf(chunk));
      for (let j = 0; j < m; j++) {
        const cell = cells[j * place.g + r % g.G], k = 255 - LOG[(128 + j) ^ g.position(r)]; // 1 / …
        for (let b = 0; b < chunk.length; b++) if (chunk[b]) cell[b] ^= EXP[k + LOG[chunk[b]]];
      }
    }
    const all = concat(...entries, ...cells.map(entryOf)), table = [];
    for (let block = 0; block < place.table / BLOCK; block++) {
      const b = concat(all.subarray(504 * block, 504 * block + 504), Buffer.alloc(504)).subarray(0, 504);
      const numbered = concat(b, be32(block));
      table.push(concat(numbered, be32(g.blockSum(w, numbered))));
    }
    const header = g.header(w === g.windows - 1 ? 2 : 1, w);
    out.push(header, ...table, ...cells, ...table, header);
  }
  return concat(...out);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const found = scrub(...process.argv.slice(2, 4).map((name) => fileSource(fs.openSync(name))));
    console.log(JSON.stringify(found));
    const sound = !found.other && found.damaged.length + found.cells_damaged === 0 && found.head && found.tail;
    process.exitCode = sound ? 0 : 3;
  } catch (e) {
    if (!(e instanceof Failure)) throw e;
    console.error(e.message);
    process.exitCode = 3;
  }
}
