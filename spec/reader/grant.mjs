// A reader by grants, written from ../grant.md alone.

import * as bulla from './reader.mjs';
import { need, of, volumeName, zero } from './set.mjs';

const CHUNK = 65536n, SEALED = 65552n, SEGMENT = 8388608n, FRAME = 2097152n, HEADER = 144, LONGEST = 2n ** 28n;

const ceil = (a, b) => (a + b - 1n) / b;

// identity is what bytes 0..95 of a target say.
function identity(id) {
  try { return { H: bulla.pagesOf(id) * 4096, ...bulla.identityOf(id) }; } catch { throw new bulla.Failure('GRANT-5'); }
}

// cover yields the nodes for the segments first to last - 1, as [level, i]; level 0 is a segment.
function* cover(first, last) {
  for (let s = first; s < last;) {
    const level = [2, 1, 0].find((l) => s % 32n ** BigInt(l) === 0n && s + 32n ** BigInt(l) <= last), span = 32n ** BigInt(level);
    yield [level, s / span];
    s += span;
  }
}

export class GrantReader {
  // grant is a source; find(suffix) returns the target by '', a volume by '.000007', or nothing where there is none.
  // Failures have that with them, or 'grant'.
  constructor(grant, find, identities) {
    Object.assign(this, { find, targets: new Map(), containers: new Map(), parts: [] });
    of('grant', () => this.open(grant, identities));
  }

  open(grant, identities) {
    const before = (copy) => { bulla.isRole(4)(copy); need(copy.coding === 0, 'GRANT-1'); };
    const reader = new bulla.Reader(grant, identities, { before }), chunks = [];
    need(reader.size <= LONGEST, 'GRANT-4');
    reader.read(0n, reader.size, (b) => { chunks.push(b); });
    const b = Buffer.concat(chunks);
    Object.assign(this, { copy: reader.copy, warning: reader.warning, bytes: b, at: 0 });
    need(b.subarray(0, 8).equals(Buffer.from('bullagrt')), 'GRANT-2');
    const head = this.take(24 + 8).subarray(8);
    need(head[0] === 1 && zero(head.subarray(1, 4)), 'GRANT-3');
    const n = head.readUInt32BE(4);
    need(n >= 1 && n <= 131072, 'GRANT-4');
    this.V = head.readBigUInt64BE(8);
    need(this.V === 0n || (this.V >= FRAME && this.V <= 2n ** 45n && this.V % FRAME === 0n), 'GRANT-5');
    this.plaintext = head.readBigUInt64BE(16);
    for (let i = 0; i < n; i++) this.parts.push(this.part());
    this.coding = this.parts[0].coding;
    need(this.at === b.length, 'GRANT-4');
  }

  // ranges are those of the target's plaintext that are granted.
  ranges() {
    return this.parts.map((p) => [p.place + p.from, p.place + p.to]);
  }

  // take is the next n bytes of the grant.
  take(n) {
    need(this.at + n <= this.bytes.length, 'GRANT-4');
    return this.bytes.subarray(this.at, this.at += n);
  }

  // part reads and checks the next part.
  part() {
    const { V } = this, b = this.take(HEADER), id = b.subarray(0, 96), u64 = (at) => b.readBigUInt64BE(at);
    const [size, content, from, to, begin, end] = [96, 104, 112, 120, 128, 136].map(u64);
    const { H, suite, coding, role, set, number } = identity(id), part = { V, id, size, content, suite, coding, set, number };
    need(role === (V ? 1 : 0) && number < 131072, 'GRANT-5');
    const [first] = this.parts, before = this.parts.at(-1);
    need(!first || (first.set.equals(set) && first.coding === coding), 'GRANT-5');
    const other = this.containers.get(number) ?? part;
    need(other.id.equals(id) && other.size === size && other.content === content, 'GRANT-5');
    this.containers.set(number, part);

    const P = size - 2n * BigInt(H), N = P / SEALED + 1n, length = P - 16n * N, place = BigInt(number) * V;
    need(P >= 16n && P % SEALED >= 16n && N <= 2n ** 46n, 'GRANT-6');
    need(coding ? content <= 2n ** 48n : content === length, 'GRANT-6');
    need(V ? content <= V && place + content <= this.plaintext : content === this.plaintext, 'GRANT-6');
    need(from < to && to <= content && (!before || before.place + before.to <= place + from), 'GRANT-7');

    if (coding) {
      need(from % FRAME === 0n && (to % FRAME === 0n || to === content), 'GRANT-8');
      const frames = Array.from({ length: Number(ceil(to - from, FRAME)) }, () => this.take(4).readUInt32BE(0));
      need(frames.every((f) => f >= 1 && f <= 2105344), 'GRANT-8');
      need(frames.reduce((sum, f) => sum + BigInt(f), begin) === end && end < length, 'GRANT-8');
    } else need(begin === from && end === to, 'GRANT-8');

    // What there are keys for are the bytes from keyed to unkeyed.
    const low = ceil(begin, SEGMENT), high = end === length ? ceil(N - 1n, 128n) : end / SEGMENT, keys = low < high;
    const keyed = keys ? low * SEGMENT : end, unkeyed = keys && end < length ? high * SEGMENT : end;
    const nodes = [];
    for (const [level, i] of cover(low, high)) nodes.push({ level, i, key: this.take(level ? 64 : 32) });
    const final = keys && end === length ? this.take(32) : null;
    const edges = [this.take(Number(keyed - begin)), this.take(Number(end - unkeyed))];
    return { ...part, H: BigInt(H), N, place, from, to, begin, end, keyed, unkeyed, nodes, final, edges };
  }

  // target returns the container that a part is about, which it checks when it is first needed.
  target(part) {
    const suffix = part.V ? volumeName(part.number) : '';
    if (this.targets.has(suffix)) return this.targets.get(suffix);
    const source = this.find(suffix), target = { source, suffix };
    of(suffix, () => {
      need(source, 'SET-1');
      const head = bulla.headOf(source), tail = bulla.tailOf(source, Number(part.H));
      bulla.agree(head, tail);
      need(source.size === part.size && [head, tail].every(({ id }) => !id || id.equals(part.id)), 'GRANT-11');
    });
    this.targets.set(suffix, target);
    return target;
  }

  // chunk opens chunk i of a part's container.
  chunk(part, i) {
    const s = i / 128n, holds = ({ level, i: n }) => s / 32n ** BigInt(level) === n;
    let key = part.final;
    if (i < part.N - 1n) {
      const node = part.nodes.find(holds);
      key = node.key;
      for (let level = node.level - 1; level >= 0; level--) key = bulla.below(key, level, s / 32n ** BigInt(level));
    }
    const at = part.H + i * SEALED, end = i < part.N - 1n ? at + SEALED : part.size - part.H;
    const { source, suffix } = this.target(part), sealed = source.read(at, Number(end - at));
    const plain = bulla.unseal(part.suite, key, bulla.nonceOf(i), sealed);
    of(suffix, () => need(plain, 'CHUNK-1'));
    return plain;
  }

  // readPart gives bytes of the payload's plaintext of a part to emit.
  readPart(part, from, to, emit) {
    this.target(part);
    while (from < to) {
      const i = from / CHUNK, inChunk = from >= part.keyed && from < part.unkeyed;
      const [bytes, start] = inChunk ? [this.chunk(part, i), i * CHUNK]
        : from < part.keyed ? [part.edges[0], part.begin] : [part.edges[1], part.unkeyed];
      const piece = bytes.subarray(Number(from - start), Number(to - start));
      emit(piece);
      from += BigInt(piece.length);
    }
  }

  // read gives the plaintext from a byte up to another one to emit; all of it has to be granted. With coding 1 it gives
  // whole frames as they are, of every part that the range touches.
  read(from, to, emit) {
    let covered = from;
    const touched = this.parts.filter((p) => p.place + p.from < to && p.place + p.to > from);
    for (const p of touched) if (p.place + p.from <= covered) covered = p.place + p.to;
    if (covered < to) throw new bulla.Failure('', 0, 'refused');
    for (const p of touched) {
      const low = from > p.place + p.from ? from - p.place : p.from, high = to < p.place + p.to ? to - p.place : p.to;
      if (p.coding) this.readPart(p, p.begin, p.end, emit);
      else this.readPart(p, low, high, emit);
    }
  }
}
