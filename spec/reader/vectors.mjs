// Runs the reader over all vectors and reports every disagreement.
//
//   node vectors.mjs [DIRECTORY]
//
// The format of the vectors is described in ../../testdata/vectors/README.md.

import { createCipheriv, createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GrantReader } from './grant.mjs';
import * as hpke from './hpke.mjs';
import { judge, text, verdicts as bothVerdicts } from './judge.mjs';
import { make, scrub, sourceOf } from './parity.mjs';
import * as bulla from './reader.mjs';
import { SetReader, verify } from './set.mjs';

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

const identitiesOf = (v) => [
  ...v.all('kek').map((s) => ({ type: 4, secret: hex(s) })),
  ...v.all('passphrase').map((s) => ({ type: 2, secret: Buffer.from(s) })),
  ...v.all('identity').map((s) => ({ secret: hpke.seedOf(s) })).map(({ secret }) => ({ type: secret ? 1 : 3, secret })),
  ...v.all('ssh-identity').map(() => ({ type: 3 })),
];

// ---- containers ----

// seal makes chunk i with length bytes of the plaintext that a vector's seed stands for, or of zeros.
function seal(v, i, length, final, zeros) {
  const plain = Buffer.alloc(length + 8), preamble = hex(v.get('preamble'));
  const seed = zeros || BigInt(v.get('plaintext')) << 56n;
  for (let at = 0; !zeros && at < length; at += 8) plain.writeBigUInt64BE(BigInt.asUintN(64, seed | (i * 8192n + BigInt(at / 8))), at);
  const key = bulla.deriveKeys(preamble, hex(v.get('cek'))).chunk(i, final);
  const suite = preamble[11] === 1 ? 'aes-256-gcm' : 'chacha20-poly1305';
  const aead = createCipheriv(suite, key, bulla.nonceOf(i), { authTagLength: 16 });
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
    if (kind !== 'chunks' && kind !== 'zero-chunks') continue;
    for (let i = 0n; i < BigInt(b); i++) add(65552, () => seal(v, BigInt(a) + i, 65536, false, kind === 'zero-chunks'));
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
  const single = { prk: keys.prk, commitment: keys.commitment, 'head-key': keys.head, 'slot-id-key': keys.slotId,
    'payload-node': keys.payload };
  for (const key in single) check(key, v.get(key), single[key].toString('hex'));
  check('mac', v.get('mac'), bulla.macOf(copy, keys).toString('hex'));
  const indexed = (key, f) => {
    for (const [i, want] of v.rows(key)) {
      const got = f(Number(i));
      if (got) check(`${key} ${i}`, want, got.toString('hex'));
    }
  };
  indexed('segment-key', (i) => keys.segment(BigInt(i)));
  indexed('final-key', (i) => keys.final(BigInt(i)));
  indexed('nonce', (i) => bulla.nonceOf(BigInt(i)));
  for (const [level, i, want] of v.rows('node')) check(`node ${level} ${i}`, want, keys['node' + level](BigInt(i)).toString('hex'));
  // Of a slot for a key that is not given nothing can be said, but for what follows from the vector's own slot-argon2.
  const given = Object.fromEntries(v.rows('slot-argon2').map(([i, s]) => [i, hex(s)]));
  const idOf = (canonical) => bulla.hmac(keys.slotId, canonical).subarray(0, 16);
  const slots = copy.slots.map((slot, i) => {
    const fields = slot.body.subarray(slot.type === 2 ? 5 : 0);
    const okm = (ikm) => bulla.slotKeys(slot.type, fields, ikm, copy.preamble);
    const fits = (ikm) => okm(ikm).subarray(0, 32).equals(fields.subarray(32, 64));
    const secrets = identities.filter((id) => id.type === slot.type).map((id) => id.secret);
    if (slot.type === 1) { // of whom the id says
      const ids = secrets.map((seed) => {
        const key = hpke.keyOf(seed), canonical = hpke.toText('age1pq', key.publicKey);
        const secret = hpke.sharedSecret(key, slot.body.subarray(0, 1120));
        return { canonical, secret, okm: Buffer.concat(hpke.keyAndNonce(secret, bulla.slotInfo(1, copy.preamble))) };
      });
      return ids.find(({ canonical }) => idOf(canonical).equals(slot.id)) ?? {};
    }
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
  indexed('slot-secret', (i) => slots[i].secret);
  indexed('slot-id', (i) => 'canonical' in slots[i] && idOf(slots[i].canonical));
}

// ---- sets and grants ----

// finder finds the members of a set or a grant, which are the containers of other vectors, by suffix.
function finder(v) {
  const members = new Map(v.rows('member').map(([name, file]) => [name === 'root' || name === 'target' ? '' : name, file]));
  return (suffix) => members.has(suffix) && build(load(`${members.get(suffix)}.vector`));
}

// runGrant compares what is said of a grant.
function runGrant(v, check, find) {
  let reader;
  const got = judge((emit) => {
    reader = new GrantReader(find('grant'), find, identitiesOf(v));
    reader.ranges().forEach(([from, to]) => reader.read(from, to, emit));
    return { warning: reader.warning, part: reader.warning ? 'grant' : undefined };
  });
  if (got.expect.startsWith('needs')) return got.expect;
  const want = Object.fromEntries(['expect', 'clause', 'length', 'payload'].map((k) => [k, v.get(k)]));
  if (reader?.coding) Object.assign(want, { length: got.length, payload: got.payload });
  check('grant', `${text({ ...want, inUse: '' })} ${v.get('where')}`, `${text({ ...got, inUse: '' })} ${got.part === '' ? 'target' : got.part ?? ''}`);
  counts.grants++;
  if (v.get('granted')) check('granted', v.all('granted').join(), reader.ranges().map((r) => r.join(' ')).join());
  if (reader?.coding) return 'coding 1: compared as a reader that does not decompress';
  for (const [from, n, length, payload, clause = ''] of v.rows('range')) {
    const part = judge((emit) => { reader.read(BigInt(from), BigInt(from) + BigInt(n), emit); });
    const said = part.expect === 'refused' ? 'refused' : part.clause;
    check(`range ${from} ${n}`, `${length} ${payload} ${clause}`, `${part.length} ${part.payload} ${said}`);
    counts.ranges++;
  }
}

// runSet compares what is said of a set.
function runSet(v, check, find) {
  const forwards = (suffix) => {
    const source = find(suffix);
    let at = 0n;
    return source && bulla.forwards((n) => { const b = source.read(at, n); at += BigInt(b.length); return b; });
  };
  const identities = identitiesOf(v), said = (part) => (part === '' ? 'root' : part ?? '');
  let coded = false;
  const read = (way) => judge((emit) => {
    const reader = new SetReader(find, identities);
    coded = reader.coding === 1;
    if (way === 'stream') reader.stream(forwards, emit);
    else reader.read(0n, reader.size, emit);
    return reader.said();
  });
  for (const way of ['stream', 'random']) {
    const got = read(way), at = way === 'random' && v.get('random-expect') ? 'random-' : '';
    if (got.expect.startsWith('needs')) return got.expect;
    const want = Object.fromEntries(['expect', 'clause', 'length', 'payload'].map((k) => [k, v.get(at + k)]));
    if (coded) Object.assign(want, { length: got.length, payload: got.payload }); // of coding 1 this reader gives frames
    check(way, `${text({ ...want, inUse: '' })} ${v.get(at + 'where')}`, `${text(got)} ${said(got.part)}`);
    counts.sets++;
  }
  const found = verify(find, identities).filter(([, clause]) => clause);
  check('verify', v.all('verify').join(), found.map(([part, clause]) => `${said(part)} ${clause}`).join());
  if (coded) return 'coding 1: compared as a reader that does not decompress';
  const all = v.rows('range'), reader = all.length && new SetReader(find, identities);
  for (const [from, n, length, payload, clause = ''] of all) {
    const got = judge((emit) => { reader.read(BigInt(from), BigInt(from) + BigInt(n), emit); });
    check(`range ${from} ${n}`, `${length} ${payload} ${clause}`, `${got.length} ${got.payload} ${got.clause}`);
    counts.ranges++;
  }
}

// ---- all vectors ----

const known = new Set(`comment expect clause length payload random-expect random-clause random-length random-payload in-use
  random-in-use raw
  range keyless verify covers kek passphrase identity ssh-identity detached cek preamble prk commitment head-key
  slot-id-key mac slot-id slot-argon2 slot-okm slot-secret segment-key nonce plaintext part xor cut size sha256
  role payload-node node final-key member where random-where set-seed set-mac-key granted
  `.split(/\s+/));
const outcomes = {}, left = {}, counts = { sets: 0, grants: 0, ranges: 0, values: 0, keyless: 0, 'of these to the last offset': 0 };
let vectors = 0, covered = 0, wrong = 0;

// run returns why a vector is left out, if it is.
function run(v, check) {
  const unknown = v.keys.find((k) => !known.has(k));
  if (unknown) return `has ${unknown} lines`;
  if (v.get('member')) return (v.rows('member').some(([name]) => name === 'grant') ? runGrant : runSet)(v, check, finder(v));
  const source = build(v), detached = v.get('detached') && bulla.copyOf(v.body.subarray(0, Number(v.get('detached'))));
  if (v.get('size')) check('size', v.get('size'), String(source.size));
  if (v.get('sha256')) check('sha256', v.get('sha256'), sha256(source.read(0n, Number(source.size))));

  // What is listed behind the first violation, and the offsets, the specification leaves open.
  const keyless = bulla.inspect(source).map((f) => f.join(' '));
  check('keyless', v.get('keyless').split(' ')[0], (keyless[0] ?? '').split(' ')[0]);
  counts.keyless++;
  counts['of these to the last offset'] += v.all('keyless').join() === keyless.join();

  const identities = identitiesOf(v);
  const { reader, ...verdicts } = bothVerdicts(source, identities, { detached, role: Number(v.get('role')) });
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

// ---- parity files: testdata/parity ----

function parity(head, v) {
  const payload = Buffer.alloc(v.container.payload);
  for (let i = 0, x = 1; i < payload.length; i++) {
    x = (Math.imul(1103515245, x) + 12345) & 0x7fffffff;
    payload[i] = (x >>> 16) & 255;
  }
  const files = { container: bulla.concat(head, payload, head) };
  files.parity = make(files.container, v.m, v.depth);
  const { size, crc32c, first_cell: first } = v.parity;
  if (files.parity.length !== size || bulla.crc32c(files.parity) !== crc32c || !files.parity.includes(Buffer.from(first, 'base64'))) return 'the parity file is another';
  for (const e of v.edits) {
    const b = files[e.of];
    files[e.of] = bulla.concat(b.subarray(0, e.at), Buffer.alloc(e.zeros), Buffer.from(e.insert ?? '', 'base64'), b.subarray(e.at + e.remove));
  }
  let got;
  try { got = scrub(sourceOf(files.container), sourceOf(files.parity)); } catch (e) {
    if (!(e instanceof bulla.Failure)) throw e;
    got = { clause: e.clause };
  }
  for (const key of ['damaged', 'moved', 'lost']) got[key] = got[key]?.length;
  const { clause, other } = v.scrub, want = clause ? { clause } : other ? { other } : v.scrub;
  const differ = Object.keys(want).filter((key) => want[key] !== got[key]);
  return differ.map((key) => `${key} is ${got[key]}, not ${want[key]}`).join(', ');
}

const parities = JSON.parse(fs.readFileSync(new URL('../../testdata/parity/vectors.json', import.meta.url)));
counts['parity files'] = parities.vectors.length;
for (const v of parities.vectors) {
  const differs = parity(Buffer.from(parities.head, 'base64'), v);
  if (!differs) continue;
  wrong++;
  console.log(`parity file, ${v.name}: ${differs}`);
}

console.log('\nagreed on    stream  random     raw');
for (const [o, n] of Object.entries(outcomes).sort()) {
  console.log(o.padEnd(12), ...['stream', 'random', 'raw'].map((way) => String(n[way]).padStart(7)));
}
console.log(`\n${covered} of ${vectors} vectors covered, ${wrong} disagree. Left out but for the keyless check:`);
for (const [why, n] of Object.entries(left).sort()) console.log(`${String(n).padStart(5)}  ${why}`);
console.log(`Compared besides: ${Object.entries(counts).map(([what, n]) => `${n} ${what}`).join(', ')}`);
process.exitCode = wrong ? 1 : 0;
