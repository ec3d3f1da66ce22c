// Slots of type 1: HPKE (RFC 9180) with the KEM MLKEM768-X25519, which is X-Wing: ML-KEM-768 (FIPS 203) beside X25519.
//
// Node has X25519, SHA-3 and SHAKE; of ML-KEM here is what opens, plain and neither fast nor in constant time.

import * as crypto from 'node:crypto';

const concat = (...parts) => Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p, 'latin1') : p)));
const hash = (name, outputLength, ...parts) => crypto.createHash(name, outputLength && { outputLength }).update(concat(...parts)).digest();

// ---- ML-KEM-768: polynomials of 256 coefficients modulo Q (FIPS 203, sections 4 and 5) ----

const Q = 3329, K = 3, N = 256;
const mod = (x) => ((x % Q) + Q) % Q;
const three = [0, 1, 2];
const poly = (f) => Array.from({ length: N }, (_, i) => f(i));
const add = (a, b) => poly((i) => mod(a[i] + b[i]));

// ZETAS are the powers of 17, by the bits of their index reversed.
const bitrev7 = (i) => parseInt(i.toString(2).padStart(7, '0').split('').reverse().join(''), 2);
const pow17 = (n) => { let x = 1; while (n--) x = (x * 17) % Q; return x; };
const ZETAS = Array.from({ length: 128 }, (_, i) => pow17(bitrev7(i)));
const GAMMAS = Array.from({ length: 128 }, (_, i) => pow17(2 * bitrev7(i) + 1));

function ntt(p) {
  const f = [...p];
  for (let length = 128, i = 1; length >= 2; length /= 2) {
    for (let start = 0; start < N; start += 2 * length, i++) {
      for (let j = start; j < start + length; j++) {
        const t = ZETAS[i] * f[j + length];
        [f[j], f[j + length]] = [mod(f[j] + t), mod(f[j] - t)];
      }
    }
  }
  return f;
}

function inverse(p) {
  const f = [...p];
  for (let length = 2, i = 127; length <= 128; length *= 2) {
    for (let start = 0; start < N; start += 2 * length, i--) {
      for (let j = start; j < start + length; j++) {
        [f[j], f[j + length]] = [mod(f[j] + f[j + length]), mod(ZETAS[i] * (f[j + length] - f[j]))];
      }
    }
  }
  return f.map((x) => (x * 3303) % Q);
}

function multiply(a, b) {
  const c = [];
  for (let i = 0; i < N; i += 2) {
    c.push((a[i] * b[i] + ((a[i + 1] * b[i + 1]) % Q) * GAMMAS[i / 2]) % Q, (a[i] * b[i + 1] + a[i + 1] * b[i]) % Q);
  }
  return c;
}

const dot = (a, b) => three.map((i) => multiply(a[i], b[i])).reduce(add);

// repack turns numbers of some bits into numbers of others, the lowest bit first.
function repack(numbers, from, to) {
  const out = [];
  let bits = 0, held = 0;
  for (const x of numbers) {
    held |= x << bits;
    for (bits += from; bits >= to; bits -= to) {
      out.push(held & (2 ** to - 1));
      held >>= to;
    }
  }
  return out;
}

const encode = (d, f) => Buffer.from(repack(f, d, 8));
const decode = (d, b) => repack(b, 8, d);

const compress = (d, f) => f.map((x) => Math.floor((x * 2 ** (d + 1) + Q) / (2 * Q)) % 2 ** d);
const decompress = (d, f) => f.map((x) => (x * Q + 2 ** (d - 1)) >> d);
const pieces = (b, size) => three.map((i) => b.subarray(i * size, (i + 1) * size));

// sample is one polynomial of the matrix A of a public seed; noise is polynomial n of small coefficients of a secret one.
function sample(seed, i, j) {
  const b = hash('shake128', 1344, seed, Buffer.of(j, i)), f = []; // 896 tries for 256 coefficients
  for (let at = 0; f.length < N; at += 3) {
    f.push(...[b[at] + 256 * (b[at + 1] & 15), (b[at + 1] >> 4) + 16 * b[at + 2]].filter((x) => x < Q));
  }
  return f.slice(0, N);
}

const matrix = (seed) => three.map((i) => three.map((j) => sample(seed, i, j)));

function noise(seed, n) {
  const bits = decode(1, hash('shake256', 128, seed, Buffer.of(n)));
  return poly((i) => mod(bits[4 * i] + bits[4 * i + 1] - bits[4 * i + 2] - bits[4 * i + 3]));
}

function keyPair(d, z) {
  const g = hash('sha3-512', 0, d, Buffer.of(K)), rho = g.subarray(0, 32), sigma = g.subarray(32), A = matrix(rho);
  const s = three.map((i) => ntt(noise(sigma, i)));
  const t = three.map((i) => add(dot(A[i], s), ntt(noise(sigma, K + i))));
  const ek = concat(...t.map((f) => encode(12, f)), rho);
  return { ek, t, s, A, z, h: hash('sha3-256', 0, ek) };
}

function encrypt({ t, A }, m, r) {
  const y = three.map((i) => ntt(noise(r, i)));
  const u = three.map((i) => add(inverse(dot(three.map((j) => A[j][i]), y)), noise(r, K + i)));
  const v = [inverse(dot(t, y)), noise(r, 2 * K), decompress(1, decode(1, m))].reduce(add);
  return concat(...u.map((f) => encode(10, compress(10, f))), encode(4, compress(4, v)));
}

function decapsulate(key, c) {
  const u = pieces(c, 320).map((b) => ntt(decompress(10, decode(10, b)))), v = decompress(4, decode(4, c.subarray(960)));
  const w = inverse(dot(key.s, u)), m = encode(1, compress(1, poly((i) => mod(v[i] - w[i]))));
  const g = hash('sha3-512', 0, m, key.h);
  return encrypt(key, m, g.subarray(32)).equals(c) ? g.subarray(0, 32) : hash('shake256', 32, key.z, c);
}

// ---- X-Wing ----

const x25519 = (secret) => crypto.createPrivateKey({
  key: concat(Buffer.from('302e020100300506032b656e04220420', 'hex'), secret), format: 'der', type: 'pkcs8',
});
const point = (bytes) => crypto.createPublicKey({
  key: concat(Buffer.from('302a300506032b656e032100', 'hex'), bytes), format: 'der', type: 'spki',
});

// keyOf expands a seed of 32 bytes, which is the secret key. The public key has 1,216 bytes.
export function keyOf(seed) {
  const expanded = hash('shake256', 96, seed), secret = x25519(expanded.subarray(64));
  const kem = keyPair(expanded.subarray(0, 32), expanded.subarray(32, 64));
  const own = crypto.createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32);
  return { kem, secret, own, publicKey: concat(kem.ek, own) };
}

export function sharedSecret({ kem, secret, own }, enc) {
  const theirs = enc.subarray(1088), x = crypto.diffieHellman({ privateKey: secret, publicKey: point(theirs) });
  return hash('sha3-256', 0, decapsulate(kem, enc.subarray(0, 1088)), x, theirs, own, '\\.//^\\');
}

// ---- HPKE, base mode ----

const SUITE = concat('HPKE', Buffer.from('647a00010003', 'hex'));
const hmac = (key, ...parts) => crypto.createHmac('sha256', key).update(concat(...parts)).digest();
const extract = (salt, label, ikm) => hmac(salt, 'HPKE-v1', SUITE, label, ikm);
const expand = (prk, label, info, length) =>
  hmac(prk, Buffer.of(0, length), 'HPKE-v1', SUITE, label, info, Buffer.of(1)).subarray(0, length);

// keyAndNonce is what seals the only message under a shared secret.
export function keyAndNonce(secret, info) {
  const context = concat(Buffer.of(0), extract('', 'psk_id_hash', ''), extract('', 'info_hash', info));
  const prk = extract(secret, 'secret', '');
  return [expand(prk, 'key', context, 32), expand(prk, 'base_nonce', context, 12)];
}

// ---- Bech32 (BIP 173) ----

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';

function checksum(hrp, digits) {
  const chars = Array.from(hrp, (c) => c.charCodeAt(0));
  let c = 1;
  for (const v of [...chars.map((x) => x >> 5), 0, ...chars.map((x) => x & 31), ...digits]) {
    const top = c >>> 25;
    c = ((c & 0x1ffffff) << 5) ^ v;
    [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3].forEach((g, i) => { if ((top >> i) & 1) c ^= g; });
  }
  return c;
}

// regroup turns groups of bits into groups of another size; bits left over are padding.
function regroup(groups, from, to, pad) {
  const bits = Array.from(groups, (g) => g.toString(2).padStart(from, '0')).join('');
  const whole = pad ? bits.padEnd(Math.ceil(bits.length / to) * to, '0') : bits.slice(0, Math.floor(bits.length / to) * to);
  return (whole.match(new RegExp(`.{${to}}`, 'g')) ?? []).map((g) => parseInt(g, 2));
}

export function toText(hrp, bytes) {
  const digits = regroup(bytes, 8, 5, true), c = checksum(hrp, [...digits, 0, 0, 0, 0, 0, 0]) ^ 1;
  return `${hrp}1${[...digits, ...[25, 20, 15, 10, 5, 0].map((s) => (c >>> s) & 31)].map((d) => ALPHABET[d]).join('')}`;
}

// seedOf returns the secret key that an identity in text stands for, or null.
export function seedOf(identity) {
  const [hrp, data] = identity.toLowerCase().split(/1(?=[^1]*$)/), digits = Array.from(data ?? '', (c) => ALPHABET.indexOf(c));
  if (hrp !== 'age-secret-key-pq-' || checksum(hrp, digits) !== 1) return null;
  return Buffer.from(regroup(digits.slice(0, -6), 5, 8));
}
