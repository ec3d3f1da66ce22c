// A reader of sets, written from ../set.md alone.
//
// A set is given as find(name), which returns a part as a source, or nothing where there is none: of the root by '', of
// the index by '.index', of volume 7 by '.000007'. Failures have the name of the part with them.

import * as bulla from './reader.mjs';

const MOST = 131072, ENTRY = 112n;
export const volumeName = (i) => `.${String(i).padStart(6, '0')}`;

export function need(holds, clause) {
  if (!holds) throw new bulla.Failure(clause);
}

export const zero = (bytes) => bytes.every((b) => b === 0);

// of runs what concerns a part.
export function of(part, run) {
  try { return run(); } catch (e) {
    if (e instanceof bulla.Failure) e.part ??= part;
    throw e;
  }
}

// sealed runs a reader of the index or a volume: no key means here that it was not sealed to the set key.
function sealed(run) {
  try { return run(); } catch (e) {
    throw e instanceof bulla.Failure && e.outcome === 'no-key' ? new bulla.Failure('SET-4') : e;
  }
}

const oneSlot = ({ copy, slot }) => need(copy.slots.length === 1 && copy.slots[0].body.equals(slot.body), 'SET-4');

// whole returns the plaintext of a root or an index, if it is not too long.
function whole(reader, fits, clause) {
  need(fits(reader.size), clause);
  const parts = [];
  reader.read(0n, reader.size, (b) => { parts.push(b); });
  return Buffer.concat(parts);
}

export class SetReader {
  // options are those of the root's Reader: { detached }. To warnings it adds what it finds amiss, as [part, clause].
  constructor(find, identities, options, warnings = []) {
    Object.assign(this, { find, volumes: new Map(), warnings });
    of('', () => this.openRoot(identities, options));
    of('.index', () => this.openIndex());
    this.size = BigInt(this.entries.length - 1) * this.V + this.entries.at(-1).content;
  }

  openRoot(identities, options) {
    const before = (copy) => { bulla.isRole(2)(copy); need(copy.coding === 0, 'SET-3'); };
    const reader = new bulla.Reader(this.part(''), identities, { ...options, before });
    const b = whole(reader, (size) => size === 72n, 'SET-5');
    need(b.subarray(0, 8).equals(Buffer.from('bullaset')), 'SET-5');
    need(b[8] === 1 && zero(b.subarray(10, 16)) && zero(b.subarray(28, 32)), 'SET-6');
    need(b[9] <= 1, 'SET-7');
    need(b.subarray(16, 28).equals(reader.copy.set), 'SET-8');
    this.V = b.readBigUInt64BE(64);
    need(this.V >= 2n ** 21n && this.V <= 2n ** 45n && this.V % 2n ** 21n === 0n, 'SET-9');
    Object.assign(this, { root: reader, coding: b[9], set: b.subarray(16, 28) });
    const key = (label) => bulla.expand(bulla.extract(this.set, b.subarray(32, 64)), Buffer.from(label), 32);
    this.identities = [{ type: 1, secret: key('bulla/v2 set key') }];
    this.T = key('bulla/v2 set mac');
    this.warn('', reader);
  }

  openIndex() {
    const source = this.part('.index'), checks = { before: this.belongs(3, 0, 0), after: oneSlot };
    const reader = sealed(() => new bulla.Reader(source, this.identities, checks));
    const listed = (size) => (size - 72n) / ENTRY;
    const b = whole(reader, (size) => size % ENTRY === 72n && listed(size) >= 1n && listed(size) <= MOST, 'SET-11');
    const n = Number(listed(reader.size)), end = b.length - 32;
    need(b.subarray(0, 8).equals(Buffer.from('bullaidx')), 'SET-11');
    need(b[8] === 1, 'SET-12');
    need(bulla.same(bulla.hmac(this.T, b.subarray(0, end)).subarray(0, 32), b.subarray(end)), 'SET-13');
    need(zero(b.subarray(9, 16)), 'SET-14');
    need(b.subarray(16, 28).equals(this.set) && b.readBigUInt64BE(32) === this.V && b.readUInt32BE(28) === n, 'SET-15');
    this.entries = Array.from({ length: n }, (_, i) => {
      const e = b.subarray(40 + 112 * i, 152 + 112 * i);
      return { id: e.subarray(0, 96), size: e.readBigUInt64BE(96), content: e.readBigUInt64BE(104) };
    });
    need(this.entries.every(({ content }, i) => (i < n - 1 ? content === this.V : content < this.V)), 'SET-16');
    this.warn('.index', reader);
  }

  part(name) {
    const source = this.find(name);
    need(source, 'SET-1');
    return source;
  }

  // belongs makes the check of a part before its slot is tried: that the preamble has its place in the set.
  belongs(role, number, coding, id) {
    return (copy) => {
      need(copy.role === role && copy.set.equals(this.set) && copy.number === number, 'SET-2');
      need(copy.coding === coding, 'SET-3');
      need(!id || copy.id.equals(id), 'SET-17');
    };
  }

  warn(part, { warning }) {
    if (warning) this.warnings.push([part, warning]);
  }

  // said is the first warning.
  said() {
    const [[part, warning] = []] = this.warnings;
    return { part, warning };
  }

  // volume opens volume i for random access, when it is first needed.
  volume(i) {
    if (this.volumes.has(i)) return this.volumes.get(i);
    const { id, size, content } = this.entries[i], source = this.part(volumeName(i));
    const checks = { before: this.belongs(1, i, this.coding, id), after: oneSlot };
    const reader = sealed(() => new bulla.Reader(source, this.identities, checks));
    need(source.size === size && (this.coding || reader.size === content), 'SET-18');
    this.volumes.set(i, reader);
    this.warn(volumeName(i), reader);
    return reader;
  }

  // read gives the plaintext from a byte up to another one to emit. With coding 1 it knows no places: it gives the whole.
  read(from, to, emit) {
    if (this.coding) return this.entries.forEach((_, i) => of(volumeName(i), () => this.volume(i).read(0n, 2n ** 64n, emit)));
    const last = this.entries.length - 1, toEnd = to >= this.size && this.entries[last].content === 0n;
    if (to > this.size) to = this.size;
    while (from < to) {
      const i = Number(from / this.V), start = BigInt(i) * this.V, end = to < start + this.V ? to : start + this.V;
      of(volumeName(i), () => this.volume(i).read(from - start, end - start, emit));
      from = end;
    }
    if (toEnd) of(volumeName(last), () => this.volume(last));
  }

  // stream gives all of the plaintext to emit, reading each volume forwards, without knowing its size: open(name) returns
  // such a source, or nothing.
  stream(open, emit) {
    this.entries.forEach(({ id, size, content }, i) => of(volumeName(i), () => {
      const source = open(volumeName(i));
      need(source, 'SET-1');
      let n = 0n;
      const count = (b) => { n += BigInt(b.length); emit(b); };
      const checks = { before: this.belongs(1, i, this.coding, id), after: oneSlot };
      const read = sealed(() => bulla.stream(source, this.identities, count, checks));
      need(bulla.sizeOf(read.copy.H, n) === size && (this.coding || n === content), 'SET-18');
      this.warn(volumeName(i), read);
    }));
  }
}

// verify reads every volume and returns what is wrong with the parts, as [part, clause].
export function verify(find, identities, options) {
  const found = [];
  const check = (part, run) => {
    try { return of(part, run); } catch (e) {
      if (!(e instanceof bulla.Failure)) throw e;
      found.push([e.part, e.clause]);
    }
  };
  const reader = check('', () => new SetReader(find, identities, options, found));
  reader?.entries.forEach((_, i) => {
    check(volumeName(i), () => reader.volume(i).read(0n, 2n ** 64n, () => {}));
    reader.volumes.delete(i);
  });
  return found;
}
