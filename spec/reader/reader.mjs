// A reader of bulla containers in JavaScript, written from the specification (../bulla.md) alone.
//
// It is meant to be read beside the specification and to be checked against, not to be fast. Every failure carries the
// clause that is broken. Offsets and chunk indices are BigInts: a container may be longer than 2^53 bytes. An identity
// is { type, secret }, with the type of the slots that it may open.

import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as hpke from './hpke.mjs';

const PAGE = 4096, PAGES = 64, TAG = 16, CHUNK = 65536, SEALED = CHUNK + TAG;
const MAGIC = Buffer.from('8962756c6c610d0a1a0a', 'hex');
const AEADS = { 1: 'aes-256-gcm', 2: 'chacha20-poly1305' };

// What a broken clause means; for every other clause it is "malformed".
const OUTCOMES = {
  'HEAD-1': 'not-bulla', 'HEAD-2': 'unsupported', 'HEAD-4': 'truncated', 'HEAD-5': 'damaged', 'HEAD-6': 'unsupported',
  'HEAD-7': 'unsupported', 'HEAD-13': 'forged', 'KEY-1': 'no-key', 'PASS-2': 'unsupported', 'PASS-3': 'unsupported',
  'PASS-5': 'limit', 'COPY-1': 'forged', 'FILE-1': 'truncated', 'FILE-3': 'unsupported', 'CHUNK-1': 'damaged',
  'ROLE-1': 'unsupported', 'HEAD-8': 'unsupported', 'SET-1': 'truncated', 'SET-6': 'unsupported', 'SET-7': 'unsupported',
  'SET-12': 'unsupported', 'SET-13': 'forged', 'SET-14': 'unsupported', 'GRANT-3': 'unsupported',
};

export class Failure extends Error {
  constructor(clause, offset, outcome = OUTCOMES[clause] ?? 'malformed') {
    super(clause ? `${outcome}, ${clause}` : outcome);
    Object.assign(this, { clause, offset, outcome });
  }
}

// ---- primitives (section 1) ----

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0x82f63b78 : n >>> 1;
  return n;
});

export function crc32c(bytes) {
  let c = ~0;
  for (const b of bytes) c = CRC[(c ^ b) & 255] ^ (c >>> 8);
  return ~c >>> 0;
}

export const concat = (...parts) => Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p, 'latin1') : p)));
const be16 = (n) => Buffer.of(n >> 8, n & 255);
const be64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(n); return b; };
export const same = (a, b) => crypto.timingSafeEqual(a, b);

export const hmac = (key, ...parts) => crypto.createHmac('sha512', key).update(concat(...parts)).digest();

// HKDF's Extract is an HMAC with the salt as its key; of Expand nobody asks for more than the first block, 64 bytes.
export const extract = (salt, ikm) => hmac(salt, ikm);
export const expand = (prk, info, length) => hmac(prk, info, Buffer.of(1)).subarray(0, length);

// unseal returns null when the tag is wrong.
export function unseal(suite, key, nonce, sealed) {
  const aead = crypto.createDecipheriv(AEADS[suite], key, nonce, { authTagLength: TAG });
  aead.setAuthTag(sealed.subarray(sealed.length - TAG));
  const plain = aead.update(sealed.subarray(0, sealed.length - TAG));
  try { aead.final(); } catch { return null; }
  return plain;
}

// ---- one copy of the head (section 3) ----

// pagesOf checks HEAD-1 and HEAD-3. What is not there counts as kept: a file that ends inside the magic is cut off.
export function pagesOf(bytes) {
  if (!bytes.subarray(0, 10).equals(MAGIC.subarray(0, bytes.length))) throw new Failure('HEAD-1', 0);
  const pages = bytes.length < 16 ? 1 : bytes.readUInt16BE(14);
  if (pages < 1 || pages > PAGES) throw new Failure('HEAD-3', 14);
  return pages;
}

// frame checks HEAD-1, HEAD-3 to HEAD-5 and HEAD-16, which hold for a copy of any version, and returns the copy. After
// a head the payload follows; a tail has all of its bytes to itself; only a detached head may have more pages than the
// container.
function frame(bytes, place) {
  const n = bytes.length, pages = pagesOf(bytes), one = bytes[10] === 1; // version 1 had no copy pages
  const own = n < 104 || one ? pages : bytes.readUInt16BE(102);
  if (own < pages || own > (place === 'detached' ? PAGES : pages)) throw new Failure('HEAD-16', 102);
  const C = own * PAGE;
  if (n < C || (place === 'tail' && n > C)) throw new Failure('HEAD-4', n);
  if (crc32c(bytes.subarray(0, C - 4)) !== bytes.readUInt32BE(C - 4)) throw new Failure('HEAD-5', C - 4);
  return bytes.subarray(0, C);
}

// identityOf checks what bytes 0..95 of a copy say, but for magic and pages, and returns it.
export function identityOf(bytes) {
  const [version, suite, coding, role] = bytes.subarray(10, 14);
  if (version !== 2) throw new Failure('HEAD-2', 10);
  if (!AEADS[suite]) throw new Failure('HEAD-6', 11);
  if (coding > 1) throw new Failure('HEAD-7', 12);
  if (role > 4) throw new Failure('ROLE-1', 13);
  if (role === 0 || role === 4) requireZero(bytes, 16, 28, 'HEAD-8');
  if (role !== 1) requireZero(bytes, 28, 32, 'HEAD-8');
  const set = bytes.subarray(16, 28), number = bytes.readUInt32BE(28);
  return { suite, coding, role, set, number, preamble: bytes.subarray(0, 64), commitment: bytes.subarray(64, 96) };
}

// parse checks the clauses of an intact copy, but for those that need the CEK.
function parse(bytes) {
  const end = bytes.length - 36, identity = identityOf(bytes);
  const generation = bytes.readUInt32BE(96);
  if (generation < 1) throw new Failure('HEAD-9', 96);
  const count = bytes.readUInt16BE(100);
  if (count < 1 || count > 128) throw new Failure('HEAD-10', 100);
  const slots = [];
  let at = 104;
  for (let i = 0; i < count; i++) {
    if (at + 20 > end) throw new Failure('HEAD-11', at);
    const type = bytes.readUInt16BE(at), length = bytes.readUInt16BE(at + 2);
    if (at + 20 + length > end) throw new Failure('HEAD-11', at + 2);
    const body = bytes.subarray(at + 20, at + 20 + length);
    checkBody(type, body, at + 20);
    slots.push({ type, id: bytes.subarray(at + 4, at + 20), body });
    if (type === 2 && slots.filter((s) => s.type === 2).length > 8) throw new Failure('PASS-7', at);
    at += 20 + length;
  }
  requireZero(bytes, at, end, 'HEAD-12');
  return { ...identity, generation, slots };
}

function requireZero(bytes, from, to, clause) {
  for (let i = from; i < to; i++) if (bytes[i]) throw new Failure(clause, i);
}

// checkBody checks the clauses of a slot's type (section 5). A type it does not know it skips (SLOT-1).
function checkBody(type, body, at) {
  const size = { 1: 1168, 2: 117, 4: 112 }[type];
  if (size && body.length !== size) throw new Failure({ 1: 'HPKE-1', 2: 'PASS-1', 4: 'KEK-1' }[type], at);
  if (type === 2) {
    const kib = body.readUInt32BE(0), passes = body[4];
    if (passes < 1 || passes > 16) throw new Failure('PASS-2', at + 4);
    if (kib < 32 || kib > 2 ** 20) throw new Failure('PASS-3', at);
  }
  if (type === 3) {
    const first = 'age-encryption.org/v1\n', lines = body.toString('latin1').split('\n');
    if (body.length < 64 || body.length > 16384 || lines[0] + '\n' !== first) throw new Failure('AGE-1', at);
    let stanza = 0;
    for (const line of lines) { // up to the age header's last line
      if (line.startsWith('---')) break;
      if (line.split(' ', 2).join(' ') === '-> scrypt') throw new Failure('AGE-2', at + stanza);
      stanza += line.length + 1;
    }
  }
}

// copyOf returns the copy at a place, 'head', 'tail' or 'detached', and with { fault } what is wrong with it. Of one that is
// intact, usable or not, there are bytes 0..95 as id, and H, the length of the container's own copies.
export function copyOf(input, place = 'detached') {
  const copy = {};
  try {
    const bytes = frame(input, place);
    Object.assign(copy, { bytes, id: bytes.subarray(0, 96), H: bytes.readUInt16BE(14) * PAGE });
    return Object.assign(copy, parse(bytes));
  } catch (e) {
    if (e instanceof Failure) return { ...copy, fault: e };
    throw e;
  }
}

// headOf reads the head: a page, and by what that says all of it (READ-3).
export function headOf(source) {
  const first = source.read(0n, PAGE), pages = first.length < 16 ? 0 : first.readUInt16BE(14);
  return copyOf(pages > 1 && pages <= PAGES ? source.read(0n, pages * PAGE) : first, 'head');
}

// tailOf reads the tail that belongs to a head of H bytes: the last H bytes, if they are not the head's own.
export function tailOf(source, H) {
  const at = source.size - BigInt(H);
  return at < BigInt(H) ? { fault: new Failure('TAIL-1') } : copyOf(source.read(at, H), 'tail');
}

// agree refuses intact copies of two containers (COPY-1, READ-4); any of the three may be missing.
export function agree(head, tail, detached) {
  const differ = (a, b) => a?.id && b?.id && !a.id.equals(b.id);
  if (differ(head, tail)) throw new Failure('COPY-1');
  if (differ(head, detached) || differ(tail, detached)) throw new Failure('READ-4');
}

// framed tells whether bytes, and no fewer of them, are an intact copy that a container may have.
const framed = (bytes) => !!copyOf(bytes, 'tail').id;

// ---- keys (section 4) and slots (section 5) ----

const derive = (key, length, ...info) => expand(key, concat('bulla/v2 ', ...info), length);

// below derives what stands below a node of the tree: node i of level 1, or with level 0 the key of segment i.
export const below = (node, level, i) =>
  (level ? derive(node, 64, 'node', Buffer.of(level), be64(i)) : derive(node, 32, 'segment', be64(i)));

export function deriveKeys(preamble, cek) {
  const prk = extract(preamble, cek), payload = derive(prk, 64, 'payload');
  const node2 = (i) => below(payload, 2, i), node1 = (i) => below(node2(i / 32n), 1, i);
  const segment = (s) => below(node1(s / 32n), 0, s), last = (i) => derive(prk, 32, 'final', be64(i));
  const [commitment, head, slotId] = ['commitment', 'head', 'slot id'].map((label) => derive(prk, 32, label));
  const chunk = (i, final) => (final ? last(i) : segment(i / 128n));
  return { prk, commitment, head, slotId, payload, node2, node1, segment, final: last, chunk };
}

export const macOf = (copy, keys) => hmac(keys.head, copy.bytes.subarray(0, -36)).subarray(0, 32);
export const nonceOf = (i) => concat(be64(i), Buffer.alloc(4));

// genuine tells whether the MAC of a copy holds (HEAD-13).
const genuine = (copy, keys) => same(macOf(copy, keys), copy.bytes.subarray(-36, -4));

// best is the copy with the highest generation; of equals, the first.
const best = (copies) => copies.reduce((a, b) => (b.generation > a.generation ? b : a));

export const slotInfo = (type, preamble) => concat('bulla/v2 slot', be16(type), preamble);

// slotKeys is the OKM of types 2 and 4, of a body from its salt on.
export const slotKeys = (type, fields, ikm, preamble) =>
  expand(extract(fields.subarray(0, 32), ikm), slotInfo(type, preamble), 64);

function unwrap(type, fields, ikm, preamble) {
  const okm = slotKeys(type, fields, ikm, preamble);
  if (!same(okm.subarray(0, 32), fields.subarray(32, 64))) return null; // PASS-4, KEK-2
  return unseal(2, okm.subarray(32), Buffer.alloc(12), fields.subarray(64, 112));
}

// unwrapHPKE is the same for type 1, of an identity's key. An enc that X25519 refuses opens nothing.
function unwrapHPKE(body, key, preamble) {
  let secret;
  try { secret = hpke.sharedSecret(key, body.subarray(0, 1120)); } catch { return null; }
  return unseal(2, ...hpke.keyAndNonce(secret, slotInfo(1, preamble)), body.subarray(1120));
}

export const argon2id = crypto.argon2Sync && ((slot, passphrase) => crypto.argon2Sync('argon2id', {
  message: passphrase, nonce: slot.body.subarray(5, 37), parallelism: 4, tagLength: 32,
  memory: slot.body.readUInt32BE(0), passes: slot.body[4],
}));

// candidates yields what opens in the slots of copies, the cheapest first (SLOT-2). What is in several copies it tries
// once, and it passes over what costs too much, and says so last (PASS-5). Where there is an identity for a slot of a
// type that this reader has no code for, it gives up and says so.
function* candidates(copies, identities) {
  const tries = copies.flatMap((copy) => copy.slots.flatMap((slot) => identities
    .filter((identity) => identity.type === slot.type).map((identity) => ({ copy, slot, type: slot.type, identity }))));
  const rank = ({ type }) => [4, 1, 3, 2].indexOf(type);
  tries.sort((a, b) => rank(a) - rank(b));
  const tried = new Set();
  let limit = false;
  for (const { copy, slot, type, identity } of tries) {
    const { body } = slot, name = [type, identity.secret?.toString('latin1'), body.toString('latin1')].join();
    if (tried.has(name)) continue;
    tried.add(name);
    if (type === 2 && body.readUInt32BE(0) * body[4] > 2 ** 20) { limit = true; continue; }
    if (type === 3 || (type === 2 && !argon2id)) throw new Failure('', 0, `needs slots of type ${type}`);
    let cek;
    if (type === 1) cek = unwrapHPKE(body, identity.key ??= hpke.keyOf(identity.secret), copy.preamble);
    if (type === 2) cek = unwrap(2, body.subarray(5), argon2id(slot, identity.secret), copy.preamble);
    if (type === 4) cek = unwrap(4, body, identity.secret, copy.preamble);
    if (cek) yield { copy, slot, cek };
  }
  if (limit) throw new Failure('PASS-5');
}

// unlock returns the keys and, of the copies, that of the highest generation; of equals, the first. All are of one
// container; one that is forged is an error. own is the same of those that stand in the container, slot the one that
// opened.
function unlock(copies, identities) {
  copies = copies.filter((c, i) => i === copies.findIndex((d) => d.bytes.equals(c.bytes)));
  let failure = new Failure('', 0, 'no-key'); // SLOT-3
  for (const { copy, slot, cek } of candidates(copies, identities)) {
    const keys = deriveKeys(copy.preamble, cek);
    if (!same(keys.commitment, copy.commitment)) {
      failure = new Failure('KEY-1');
      continue;
    }
    if (!copies.every((c) => genuine(c, keys))) throw new Failure('HEAD-13');
    const stored = copies.filter((c) => !c.apart);
    return { keys, slot, copy: best(copies), own: best(stored.length ? stored : copies) };
  }
  throw failure;
}

// isRole makes a check of what a container is, by what is the same in all copies.
export const isRole = (role) => (copy) => { if (copy.role !== role) throw new Failure('ROLE-2', 13); };

// open returns what unlock does, of the copies in the container and perhaps a detached one. Options of a reader are
// { detached, role, before, after }: the role that is asked for, or instead of that a check of a usable copy before a slot
// is tried; and a check of what opened.
function open(head, tail, identities, { detached, role = 0, before = isRole(role), after }) {
  if (detached?.fault) throw detached.fault;
  agree(head, tail, detached);
  const copies = [head, tail, detached && { ...detached, apart: true }].filter((c) => c && !c.fault);
  if (!copies.length) throw head.fault;
  before(copies[0]);
  const opened = unlock(copies, identities);
  after?.(opened);
  return opened;
}

// ---- chunks (section 6) and what their failures are called (section 8) ----

// look reads chunk i and, behind it, as much as tells whether it is the last (CHUNK-2): then the tail is among it.
function look(source, { copy, keys }, i) {
  const rest = source.read(BigInt(copy.H) + i * BigInt(SEALED), SEALED + TAG + copy.H);
  const final = rest.length < SEALED + TAG + copy.H;
  const size = final ? rest.length - copy.H : SEALED;
  if (size < TAG) throw new Failure('FILE-1'); // only chunk 0 can be that short: there is no chunk at all
  const chunk = { i, rest, final, sealed: rest.subarray(0, size), tail: rest.subarray(size) };
  if (final && size >= SEALED) throw name('FILE-2', chunk, copy);
  if (i >= 2n ** 46n) throw new Failure('FILE-3');
  return chunk;
}

// cut tells whether the end is missing: a tail begins and is not all there, or nothing like one stands in its place.
function cut(tail, rest, copy) {
  if (tail.length < copy.H || rest.subarray(rest.length - copy.H + 1).includes(copy.preamble)) return true;
  return !framed(tail) && tail.filter((b, i) => b === copy.bytes[i]).length < copy.H / 8;
}

function name(clause, { rest, final, tail }, copy) {
  let seen = 0;
  for (let at = rest.indexOf(copy.preamble); at >= 0 && at < SEALED && seen < 16; at = rest.indexOf(copy.preamble, at + 1), seen++) {
    if (rest.length > at + copy.H && framed(rest.subarray(at, at + copy.H))) return new Failure('FILE-4');
  }
  return new Failure(final && cut(tail, rest, copy) ? 'FILE-1' : clause);
}

function openChunk(source, { copy, keys }, i) {
  const chunk = look(source, { copy, keys }, i);
  const plain = unseal(copy.suite, keys.chunk(i, chunk.final), nonceOf(i), chunk.sealed);
  if (!plain) throw name('CHUNK-1', chunk, copy);
  return { ...chunk, plain };
}

// compare names what is wrong with the container's two copies, the head before the tail (TAIL-3). By a newer detached
// head they are not stale.
function compare(head, tail) {
  if (head.fault || tail.fault) return head.fault?.clause ?? 'TAIL-1';
  return head.bytes.equals(tail.bytes) ? '' : 'TAIL-2';
}

// ---- reading ----

// stream reads a source forwards, without knowing its size, gives what opens to emit and returns the copy of the head that
// it uses, and a warning or ''.
export function stream(source, identities, emit, options = {}) {
  const head = headOf(source), opened = open(head, null, identities, options);
  for (let i = 0n; ; i++) {
    const { plain, final, tail: bytes } = openChunk(source, opened, i);
    emit(plain);
    if (!final) continue;
    const tail = copyOf(bytes, 'tail');
    agree(head, tail, options.detached);
    if (!tail.fault && !genuine(tail, opened.keys)) throw new Failure('HEAD-13');
    return { copy: opened.copy, warning: compare(head, tail) };
  }
}

// sizeOf is the length of a container, by that of its copies and of its plaintext (FILE-2).
export const sizeOf = (H, length) => 2n * BigInt(H) + length + (length / BigInt(CHUNK) + 1n) * BigInt(TAG);

// findTail is for a head that is not intact (READ-2).
function findTail(source) {
  for (let H = PAGE; H <= PAGES * PAGE && BigInt(H) <= source.size; H += PAGE) {
    const bytes = source.read(source.size - BigInt(H), H);
    const tail = copyOf(bytes, 'tail');
    if (tail.id) return tail;
  }
}

// A Reader reads any part of a source whose size it knows. It opens the last chunk first: before that, no size is true.
export class Reader {
  constructor(source, identities, options = {}) {
    const head = headOf(source), tail = head.id ? tailOf(source, head.H) : findTail(source);
    Object.assign(this, { source }, open(head, tail, identities, options));
    const P = source.size - 2n * BigInt(this.copy.H), last = P < 16n ? 0n : (P - 16n) / BigInt(SEALED);
    const chunk = openChunk(source, this, last);
    this.size = P - (last + 1n) * BigInt(TAG);
    this.warning = compare(head, copyOf(chunk.tail, 'tail'));
  }

  // read gives the plaintext from a byte up to another one to emit, chunk by chunk.
  read(from, to, emit) {
    if (to > this.size) to = this.size;
    for (let i = from / BigInt(CHUNK); from < to; i++) {
      const { plain } = openChunk(this.source, this, i), start = i * BigInt(CHUNK);
      const part = plain.subarray(Number(from - start), Math.min(CHUNK, Number(to - start)));
      emit(part);
      from += BigInt(part.length);
    }
  }
}

// inspect lists what anyone can see to be wrong, as [clause, offset], without a key.
export function inspect(source) {
  const head = headOf(source), tail = head.id ? tailOf(source, head.H) : findTail(source), found = [];
  if (head.fault) found.push([head.fault.clause, BigInt(head.fault.offset)]);
  const usable = [head, tail].find((c) => c && !c.fault);
  if (usable) {
    const H = BigInt(usable.H), P = source.size - 2n * H, chunks = P / BigInt(SEALED);
    if (P < 16n) found.push(['FILE-1', source.size]);
    else if (P % BigInt(SEALED) < 16n) found.push(['FILE-2', H + chunks * BigInt(SEALED)]);
    else if (chunks >= 2n ** 46n) found.push(['FILE-3', H]);
  }
  const at = source.size - BigInt(head.H ?? 0);
  if (head.id && tail.id && !tail.id.equals(head.id)) found.push(['COPY-1', at]);
  else if (head.fault) return found;
  else if (tail.fault) found.push(['TAIL-1', at]);
  else if (!tail.bytes.equals(head.bytes)) found.push(['TAIL-2', tail.generation > head.generation ? 0n : at]);
  return found;
}

// ---- sources: { size, read(offset, n) }, where read gives fewer than n bytes only at the end ----

// forwards makes a source without size of pull, which gives the next bytes, at most n, and none at the end.
export function forwards(pull) {
  let base = 0n, held = Buffer.alloc(0);
  return {
    read(offset, n) {
      const need = Number(offset - base) + n;
      while (held.length < need) {
        const more = pull(need - held.length);
        if (!more.length) break;
        held = concat(held, more);
      }
      held = held.subarray(Number(offset - base)); // what is behind is gone
      base = offset;
      return held.subarray(0, n);
    },
  };
}

export function fileSource(fd) {
  return {
    size: fs.fstatSync(fd, { bigint: true }).size,
    read(offset, n) {
      const b = Buffer.alloc(n);
      let got = 0;
      for (let more = 1; more && got < n; got += more) more = fs.readSync(fd, b, got, n - got, offset + BigInt(got));
      return b.subarray(0, got);
    },
  };
}
