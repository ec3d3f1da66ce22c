// Runs the reader over all vectors and reports every disagreement.
//
//   node vectors.mjs [DIRECTORY]
//
// The format of the vectors is described in ../../testdata/vectors/README.md.

import { createCipheriv, createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as bulla from './reader.mjs';
import { judge, text, verdicts as bothVerdicts } from './judge.mjs';

const directory = process.argv[2] ?? fileURLToPath(new URL('../../testdata/vectors/', import.meta.url));
const sha256 = (b) => createHash('sha256').update(b).digest('hex');
const hex = (s) => Buffer.from(s, 'hex');

function load(file) {
  const bytes = fs.readFileSync(directory + '/' + file), end = bytes.indexOf('\n\n');
  const lines = bytes.subarray(0, end).toString().split('\n').map((line) => line.split(/: (.*)/s));
  const all = (key) => lines.filter(([k]) => k === key).map(([, value]) => value);
  const rows = (key) => all(key).map((value) => value.split(' '));
  const name = file.replace('.vector', ''), keys = lines.map(([k]) => k), body = bytes.subarray(end + 2);
  return { name, keys, all, rows, get: (key) => all(key)[0] ?? '', body };
}

// ---- containers ----

// seal makes chunk i with length bytes of the plaintext that a vector's seed stands for.
function seal(v, i, length, final) {
  const plain = Buffer.alloc(length + 8), preamble = hex(v.get('preamble'));
  const seed = BigInt(v.get('plaintext')) << 56n;
  for (let at = 0; at < length; at += 8) plain.writeBigUInt64BE(BigInt.asUintN(64, seed | (i * 8192n + BigInt(at / 8))), at);
  const key = bulla.deriveKeys(preamble, hex(v.get('cek'))).segment(i / 128n);
  const suite = preamble[11] === 1 ? 'aes-256-gcm' : 'chacha20-poly1305';
  const aead = createCipheriv(suite, key, bulla.nonceOf(i, final), { authTagLength: 16 });
  return Buffer.concat([aead.update(plain.subarray(0, length)), aead.final(), aead.getAuthTag()]);
}

// build returns a vector's container as a source. Parts are made when they are read: some containers have 4 EiB.
function build(v) {
  const pieces = [];
  let size = 0n, body = v.body.subarray(Number(v.get('detached')));
  const add = (length, make) => { pieces.push({ start: size, end: size += BigInt(length), make }); };
  const take = (n) => { const b = body.subarray(0, n); body = body.subarray(n); add(n, () => b); };
  if (!v.get('part')) take(body.length);
  for (const [kind, a, b, c] of v.rows('part')) {
    if (kind === 'bytes') take(Number(a));
    if (kind === 'zeros') add(a, null);
    if (kind === 'chunk') add(Number(b) + 16, () => seal(v, BigInt(a), Number(b), c === 'true'));
    if (kind === 'chunks') for (let i = 0n; i < BigInt(b); i++) add(65552, () => seal(v, BigInt(a) + i, 65536, false));
  }
  if (v.get('cut')) size = BigInt(v.get('cut'));
  const flips = v.rows('xor').flatMap(([at, mask]) => [...hex(mask)].map((m, i) => [BigInt(at) + BigInt(i), m]));
  return {
    size,
    read(offset, n) {
      const end = offset + BigInt(n) < size ? offset + BigInt(n) : size;
      const out = Buffer.alloc(Math.max(0, Number(end - offset)));
      for (const p of pieces) {
        if (!p.make || p.end <= offset || p.start >= end) continue;
        p.bytes ??= p.make();
        p.bytes.copy(out, Math.max(0, Number(p.start - offset)), Math.max(0, Number(offset - p.start)));
      }
      for (const [at, mask] of flips) if (at >= offset && at < end) out[Number(at - offset)] ^= mask;
      return out;
    },
  };
}

// ---- intermediate values ----

// values compares the intermediate values of a container that opens.
function values(v, check, { own: copy, keys }, identities) {
  const rawLength = Number((v.get('raw') || v.get('length')).split(' ')[0]), last = Math.floor(rawLength / 65536);
  const single = { prk: keys.prk, commitment: keys.commitment, 'head-key': keys.head, 'slot-id-key': keys.slotId };
  for (const key in single) check(key, v.get(key), single[key].toString('hex'));
  check('mac', v.get('mac'), bulla.macOf(copy, keys).toString('hex'));
  const indexed = (key, f) => {
    for (const [i, want] of v.rows(key)) {
      const got = f(Number(i));
      if (got) check(`${key} ${i}`, want, got.toString('hex'));
    }
  };
  indexed('segment-key', (i) => keys.segment(BigInt(i)));
  indexed('nonce', (i) => bulla.nonceOf(BigInt(i), i === last));
  // Of a slot for a key that is not given nothing can be said, but for what follows from the vector's own slot-argon2.
  const given = Object.fromEntries(v.rows('slot-argon2').map(([i, s]) => [i, hex(s)]));
  const slots = copy.slots.map((slot, i) => {
    const fields = slot.body.subarray(slot.type === 2 ? 5 : 0);
    const okm = (ikm) => bulla.slotKeys(slot.type, fields, ikm, copy.preamble);
    const fits = (ikm) => okm(ikm).subarray(0, 32).equals(fields.subarray(32, 64));
    const secrets = identities.filter((id) => id.type === slot.type).map((id) => id.secret);
    if (slot.type === 4) {
      const kek = secrets.find(fits);
      return kek ? { okm: okm(kek), canonical: 'kek:' + sha256(kek) } : {};
    }
    if (slot.type !== 2) return {};
    const argon2 = secrets.map((s) => bulla.argon2id?.(slot, s)).find((ikm) => ikm && fits(ikm));
    return { argon2, okm: okm(argon2 ?? given[i]), canonical: '' };
  });
  indexed('slot-argon2', (i) => slots[i].argon2);
  indexed('slot-okm', (i) => slots[i].okm);
  indexed('slot-id', (i) => 'canonical' in slots[i] && bulla.hmac(keys.slotId, slots[i].canonical).subarray(0, 16));
}

// ---- all vectors ----

const known = new Set(`comment expect clause length payload random-expect random-clause random-length random-payload in-use
  random-in-use raw
  range keyless verify covers kek passphrase identity ssh-identity detached cek preamble prk commitment head-key
  slot-id-key mac slot-id slot-argon2 slot-okm slot-secret segment-key nonce plaintext part xor cut size sha256
  `.split(/\s+/));
const outcomes = {}, left = {}, counts = { ranges: 0, values: 0, keyless: 0, 'of these to the last offset': 0 };
let vectors = 0, covered = 0, wrong = 0;

// run returns why a vector is left out, if it is.
function run(v, check) {
  const unknown = v.keys.find((k) => !known.has(k));
  if (unknown) return `has ${unknown} lines`;
  const source = build(v), detached = v.get('detached') && bulla.copyOf(v.body.subarray(0, Number(v.get('detached'))));
  if (v.get('size')) check('size', v.get('size'), String(source.size));
  if (v.get('sha256')) check('sha256', v.get('sha256'), sha256(source.read(0n, Number(source.size))));

  // What is listed behind the first violation, and the offsets, the specification leaves open.
  const keyless = bulla.inspect(source).map((f) => f.join(' '));
  check('keyless', v.get('keyless').split(' ')[0], (keyless[0] ?? '').split(' ')[0]);
  counts.keyless++;
  counts['of these to the last offset'] += v.all('keyless').join() === keyless.join();

  const identities = [
    ...v.all('kek').map((s) => ({ type: 4, secret: hex(s) })),
    ...v.all('passphrase').map((s) => ({ type: 2, secret: Buffer.from(s) })),
    ...v.all('identity').map((s) => ({ type: s.startsWith('AGE-SECRET-KEY-PQ-') ? 1 : 3 })),
    ...v.all('ssh-identity').map(() => ({ type: 3 })),
  ];
  const { reader, ...verdicts } = bothVerdicts(source, identities, detached);
  const needs = Object.values(verdicts).find(({ expect }) => expect.startsWith('needs'));
  if (needs) return needs.expect;

  if (reader && v.get('prk')) values(v, (...args) => { counts.values++; check(...args); }, reader, identities);
  // Of coding 1 this reader has the chunks, and releases what "raw" tells of; without "raw" it is a chunk that fails.
  const coded = bulla.headOf(source).coding === 1 && v.get('expect') !== 'no-key';
  for (const way in verdicts) {
    const got = verdicts[way], at = way === 'random' && v.get('random-expect') ? 'random-' : '';
    const want = Object.fromEntries(['expect', 'clause', 'length', 'payload'].map((k) => [k, v.get(at + k)]));
    want.inUse = v.get(at + 'in-use') || got.inUse;
    const [length, payload] = coded ? v.get('raw').split(' ') : [];
    if (payload) Object.assign(want, { expect: 'success', clause: '', length, payload });
    else if (coded) Object.assign(want, { length: got.length, payload: got.payload });
    check(way, text(want), text(got));
    outcomes[want.expect] ??= { stream: 0, random: 0, raw: 0 };
    outcomes[want.expect][coded ? 'raw' : way] += text(want) === text(got);
  }
  if (coded) return 'coding 1: compared as a reader that does not decompress';
  for (const [from, n, length, payload, clause = ''] of v.rows('range')) {
    const got = judge((emit) => { reader.read(BigInt(from), BigInt(from) + BigInt(n), emit); });
    check(`range ${from} ${n}`, `${length} ${payload} ${clause}`, `${got.length} ${got.payload} ${got.clause}`);
    counts.ranges++;
  }
}

for (const file of fs.readdirSync(directory).filter((f) => f.endsWith('.vector')).sort()) {
  const v = load(file);
  let failed = false, why;
  vectors++;
  try {
    why = run(v, (what, want, got) => {
      if (want === got) return;
      failed = true;
      console.log(`${v.name}: ${what}\n  expected ${want}\n  got      ${got}`);
    });
  } catch (e) {
    failed = true;
    console.log(`${v.name}: the reader broke`, e);
  }
  wrong += failed;
  if (why) left[why] = (left[why] ?? 0) + 1;
  else covered++;
}

console.log('\nagreed on    stream  random     raw');
for (const [o, n] of Object.entries(outcomes).sort()) {
  console.log(o.padEnd(12), ...['stream', 'random', 'raw'].map((way) => String(n[way]).padStart(7)));
}
console.log(`\n${covered} of ${vectors} vectors covered, ${wrong} disagree. Left out but for the keyless check:`);
for (const [why, n] of Object.entries(left).sort()) console.log(`${String(n).padStart(5)}  ${why}`);
console.log(`Compared besides: ${Object.entries(counts).map(([what, n]) => `${n} ${what}`).join(', ')}`);
process.exitCode = wrong ? 1 : 0;
