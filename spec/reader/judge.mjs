// What the reader says about a container, in the words of the vectors.

import { createHash } from 'node:crypto';
import * as bulla from './reader.mjs';

// judge runs a reader and returns what a vector states: outcome, clause, length and SHA-256 of what it released, and the
// copy of the head in use; of a set also the part that the clause is about.
export function judge(run) {
  const hash = createHash('sha256');
  let length = 0, outcome = 'success', clause = '', copy, part;
  try {
    ({ warning: clause = '', copy, part } = run((b) => { hash.update(b); length += b.length; }) ?? {});
    if (clause) outcome = 'warning';
  } catch (e) {
    if (!(e instanceof bulla.Failure)) throw e;
    ({ outcome, clause, part } = e);
  }
  const inUse = copy ? `${copy.generation} ${copy.slots.length}` : '';
  return { expect: outcome, clause, length, payload: hash.digest('hex'), inUse, part };
}

export const text = ({ expect, clause, length, payload, inUse }) => [expect, clause || '-', length, payload, inUse].join(' ');

// verdicts are those of the two ways of reading a source, and the Reader, if it opened.
export function verdicts(source, identities, options) {
  let position = 0n, reader;
  const pull = (n) => { const b = source.read(position, Math.min(n, 100000)); position += BigInt(b.length); return b; };
  const stream = judge((emit) => bulla.stream(bulla.forwards(pull), identities, emit, options));
  const random = judge((emit) => {
    reader = new bulla.Reader(source, identities, options);
    reader.read(0n, reader.size, emit);
    return reader;
  });
  return { stream, random, reader };
}
