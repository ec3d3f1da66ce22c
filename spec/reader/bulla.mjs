// Decrypts a container, or a set by its root; with -g what a grant on one gives, part after part.
//
//   node bulla.mjs FILE [-g GRANT] --kek FILE|--passphrase-file FILE|--identity FILE -o OUT

import * as fs from 'node:fs';
import { GrantReader } from './grant.mjs';
import * as hpke from './hpke.mjs';
import { fileSource, headOf, Reader } from './reader.mjs';
import { SetReader } from './set.mjs';

const USE = 'use: node bulla.mjs FILE [-g GRANT] --kek FILE|--passphrase-file FILE|--identity FILE -o OUT';

function identitiesOf(option) {
  const kek = option('--kek'), phrase = option('--passphrase-file'), keys = option('--identity'), all = [];
  if (kek) {
    const file = fs.readFileSync(kek), line = file.toString('latin1').replace(/\r?\n$/, '');
    const secret = file.length === 32 ? file : Buffer.from(line, line.length === 64 ? 'hex' : 'base64');
    if (secret.length !== 32) throw new Error(`${kek}: a key-encryption key is 32 bytes`);
    all.push({ type: 4, secret });
  }
  if (phrase) {
    const bytes = fs.readFileSync(phrase, 'latin1').replace(/\r?\n$/, '');
    all.push({ type: 2, secret: Buffer.from(bytes, 'latin1') });
  }
  const seeds = keys ? fs.readFileSync(keys, 'latin1').split(/\r?\n/).map(hpke.seedOf) : [];
  all.push(...seeds.filter((seed) => seed).map((secret) => ({ type: 1, secret })));
  if (!all.length) throw new Error(USE);
  return all;
}

// parts finds a file, and those of a set beside its root.
const parts = (file) => (suffix) => (fs.existsSync(file + suffix) ? fileSource(fs.openSync(file + suffix)) : null);

function open(file, grant, identities) {
  if (grant) return new GrantReader(fileSource(fs.openSync(grant)), parts(file), identities);
  const source = fileSource(fs.openSync(file));
  return headOf(source).role === 2 ? new SetReader(parts(file), identities) : new Reader(source, identities);
}

function main([file, ...rest]) {
  const option = (o) => (rest.includes(o) ? rest[rest.indexOf(o) + 1] : undefined), out = option('-o');
  if (!file || !out) throw new Error(USE);
  const reader = open(file, option('-g'), identitiesOf(option)), ranges = reader.ranges?.() ?? [[0n, reader.size]];
  if (reader.coding ?? reader.copy.coding) console.error('coding 1: what is written is a Zstandard stream, which zstd -d reads');
  // The output gets its name when all of it has opened.
  const part = `${out}.part`, fd = fs.openSync(part, 'w');
  try {
    for (const [from, to] of ranges) reader.read(from, to, (b) => fs.writeFileSync(fd, b));
    fs.renameSync(part, out);
  } finally {
    fs.rmSync(part, { force: true });
  }
  for (const [name, clause] of reader.warnings ?? [['', reader.warning]]) if (clause) console.error(`warning: ${file}${name}: ${clause}`);
}

try { main(process.argv.slice(2)); } catch (e) { console.error(e.part ? `${e.part}: ${e.message}` : e.message); process.exitCode = 1; }
