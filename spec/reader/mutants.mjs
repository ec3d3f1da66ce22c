// Says what the reader makes of any number of containers, for a program that compares it with another reader
// (internal/vectors, TestReadersAgree).
//
//   node mutants.mjs KEK...
//
// Each key is 64 hexadecimal digits. Standard input is a sequence of
//
//   0  1  the role that is asked for
//   1  4  length of the detached head; 2^32 - 1 if there is none
//   5  4  length of the container
//   9     the one, then the other
//
// and for each there is one line on standard output: the verdict of a reader that streams, that of one with random
// access, and what shows without a key, separated by a bar.

import * as fs from 'node:fs';
import * as bulla from './reader.mjs';
import { text, verdicts } from './judge.mjs';

const identities = process.argv.slice(2).map((kek) => ({ type: 4, secret: Buffer.from(kek, 'hex') }));

// take reads n bytes; fewer only at the end.
function take(n) {
  const b = Buffer.alloc(n);
  let got = 0;
  for (let more = 1; more && got < n; got += more) more = fs.readSync(0, b, got, n - got, null);
  return b.subarray(0, got);
}

function sourceOf(bytes) {
  return { size: BigInt(bytes.length), read: (offset, n) => bytes.subarray(Number(offset), Number(offset) + n) };
}

for (let frame = take(9); frame.length === 9; frame = take(9)) {
  const length = frame.readUInt32BE(1), detached = length < 2 ** 32 - 1 ? bulla.copyOf(take(length)) : undefined;
  const source = sourceOf(take(frame.readUInt32BE(5)));
  const { stream, random } = verdicts(source, identities, { detached, role: frame[0] });
  const keyless = bulla.inspect(source).map((f) => f.join(' ')).join(', ');
  fs.writeSync(1, `${text(stream)} | ${text(random)} | ${keyless}\n`);
}
