// Says what the reader makes of any number of containers, sets and grants, for a program that compares it with another reader
// (internal/vectors, TestReadersAgree).
//
//   node mutants.mjs KEK...
//
// Each key is 64 hexadecimal digits. Standard input is a sequence of
//
//   0  1  the role that is asked for         or  0  1  255: a set; 254: a grant
//   1  4  length of the detached head,           1  4  how many parts there are, each of which is
//         2^32 - 1 if there is none                  4  length of its suffix, and that
//   5  4  length of the container                    4  length of the container, and that
//   9     the one, then the other
//
// For a container there is one line on standard output: the verdict of a reader that streams, that of one with random
// access, and what shows without a key, separated by a bar; for a set the verdict of a reader with random access and the
// part that it is about, and the parts of which a verifier finds something; for a grant, which is the part "grant", the
// verdict of a holder who reads all that is granted, and the part.

import * as fs from 'node:fs';
import { GrantReader } from './grant.mjs';
import * as bulla from './reader.mjs';
import { judge, text, verdicts } from './judge.mjs';
import { SetReader, verify } from './set.mjs';

const identities = process.argv.slice(2).map((kek) => ({ type: 4, secret: Buffer.from(kek, 'hex') }));

// take reads n bytes; fewer only at the end.
function take(n) {
  const b = Buffer.alloc(n);
  let got = 0;
  for (let more = 1; more && got < n; got += more) more = fs.readSync(0, b, got, n - got, null);
  return b.subarray(0, got);
}

const number = () => take(4).readUInt32BE(0);

function sourceOf(bytes) {
  return { size: BigInt(bytes.length), read: (offset, n) => bytes.subarray(Number(offset), Number(offset) + n) };
}

function container(role) {
  const length = number(), size = number(), detached = length < 2 ** 32 - 1 ? bulla.copyOf(take(length)) : undefined;
  const source = sourceOf(take(size)), { stream, random } = verdicts(source, identities, { detached, role });
  const keyless = bulla.inspect(source).map((f) => f.join(' ')).join(', ');
  return `${text(stream)} | ${text(random)} | ${keyless}`;
}

// parts reads those of a set or a grant.
function parts() {
  const all = new Map();
  for (let n = number(); n > 0; n--) {
    const suffix = take(number()).toString();
    all.set(suffix, sourceOf(take(number())));
  }
  return (suffix) => all.get(suffix);
}

const said = (part) => (part === '' ? 'root' : part);

function grant() {
  const find = parts();
  const got = judge((emit) => {
    const reader = new GrantReader(find('grant'), find, identities);
    for (const [from, to] of reader.ranges()) reader.read(from, to, emit);
    return { warning: reader.warning, part: reader.warning ? 'grant' : undefined };
  });
  return `${text(got)}${said(got.part ?? '-')}`;
}

function set() {
  const find = parts();
  const got = judge((emit) => {
    const reader = new SetReader(find, identities);
    reader.read(0n, reader.size, emit);
    return reader.said();
  });
  const found = got.expect === 'no-key' ? ['-'] : verify(find, identities).map(([part]) => said(part));
  return `${text(got)}${said(got.part ?? '-')} | ${[...new Set(found)].join(', ')}`;
}

for (let kind = take(1); kind.length; kind = take(1)) {
  fs.writeSync(1, `${{ 255: set, 254: grant }[kind[0]]?.() ?? container(kind[0])}\n`);
}
