#!/usr/bin/env python3
"""Runs bulla.py over the vectors of a directory, says what it agreed on, and what it could not judge.
Ends with 1 if it disagrees with any."""
import collections
import hashlib
import pathlib
import sys

import bulla

OUTCOME = {"HEAD-1": "not-bulla", "HEAD-4": "truncated", "FILE-1": "truncated", "HEAD-5": "damaged", "CHUNK-1": "damaged",
           "HEAD-13": "forged", "COPY-1": "forged", "PASS-5": "limit"} | dict.fromkeys(
               ("HEAD-2", "HEAD-6", "HEAD-7", "HEAD-8", "ROLE-1", "PASS-2", "PASS-3", "FILE-3"), "unsupported")

class Vector:
    def __init__(self, path):
        text, _, self.body = path.read_bytes().partition(b"\n\n")
        self.keys = collections.defaultdict(list)
        for line in text.decode().split("\n"):
            key, _, value = line.partition(": ")
            self.keys[key].append(value)
        self.detached = None
        if "detached" in self.keys:
            n = int(self.one("detached"))
            self.detached, self.body = self.body[:n], self.body[n:]
        self.parts = list(self._parts()) if "part" in self.keys else [self.body]
        # Zeros of a huge container are a number, and no bytes.
        self.size = sum(p if isinstance(p, int) else len(p) for p in self.parts)
        self.huge = "part" in self.keys and "sha256" not in self.keys
        if not self.huge:
            whole = bytearray(b"".join(bytes(p) if isinstance(p, int) else p for p in self.parts))
            for value in self.keys["xor"]:
                at, mask = int(value.split()[0]), bytes.fromhex(value.split()[1])
                whole[at:at + len(mask)] = bytes(a ^ b for a, b in zip(whole[at:], mask))
            self.parts = [bytes(whole[:int(self.one("cut"))] if "cut" in self.keys else whole)]
            self.size = len(self.parts[0])
        if "part" in self.keys:
            assert self.size == int(self.one("size")), path
            assert self.huge or hashlib.sha256(self.parts[0]).hexdigest() == self.one("sha256"), path

    def one(self, key, default=None):
        return self.keys[key][0] if key in self.keys else default

    def _parts(self):
        at = 0
        for part in self.keys["part"]:
            kind, *n = part.split()
            if kind == "bytes":
                yield self.body[at:at + int(n[0])]
                at += int(n[0])
            elif kind == "zeros":
                yield int(n[0])
            else:
                first, count = int(n[0]), int(n[1]) if kind != "chunk" else 1
                length, last = (int(n[1]), n[2] == "true") if kind == "chunk" else (bulla.CHUNK, False)
                for i in range(first, first + count):
                    yield self._seal(i, length, last, kind == "zero-chunks")

    def _seal(self, i, length, last, zeros):
        keys = bulla.Keys(bytes.fromhex(self.one("cek")), bytes.fromhex(self.one("preamble")))
        seed, k = int(self.one("plaintext", 0)) << 56, i * bulla.CHUNK // 8
        plain = bytes(length) if zeros else b"".join(bulla.be64(seed | k + j) for j in range(-(-length // 8)))[:length]
        aead, nonce = keys.aead(i, last)
        return aead.encrypt(nonce, plain, None)

    def read(self, at, n):
        out, begin = b"", 0
        for part in self.parts:
            size = part if isinstance(part, int) else len(part)
            if begin < at + n and at < begin + size:
                a, b = max(0, at - begin), min(size, at + n - begin)
                out += bytes(b - a) if isinstance(part, int) else part[a:b]
            begin += size
        return out

    def stream(self):
        at = 0

        def read(n):
            nonlocal at
            data = self.read(at, n)
            at += len(data)
            return data
        return read

    def identities(self):
        texts = self.keys["identity"]
        seeds = [bulla.seed_of(t) for t in texts if t.startswith("AGE-SECRET-KEY-PQ-")]
        return bulla.Identities([bytes.fromhex(k) for k in self.keys["kek"]], [p.encode() for p in self.keys["passphrase"]],
                                seeds, len(seeds) < len(texts) or "ssh-identity" in self.keys)

def verdict(make):
    """What a reader gives: outcome, clause, bytes released, generation and slots of the copy in use."""
    released, reader = [], None
    try:
        reader = make()
        released.extend(reader.chunks())
        outcome, clause = ("warning", reader.warning) if reader.warning else ("success", None)
        use = f"{reader.opened.use.generation} {len(reader.opened.use.slots)}"
    except bulla.Broken as b:
        outcome, clause, use = OUTCOME.get(b.clause, "malformed"), b.clause, None
        if isinstance(b, bulla.NoKey) and outcome != "limit":
            outcome = "no-key"
    return reader, (outcome, clause, b"".join(released), use)

def expected(v, prefix):
    get = lambda key: v.one(prefix + key) if prefix + "expect" in v.keys else v.one(key)
    return get("expect"), get("clause"), int(get("length")), get("payload"), get("in-use")

def run(v):
    """Yields (what, expected, got) for all that this reader can judge of a vector."""
    role, raw = int(v.one("role", 0)), "raw" in v.keys
    readers = (("stream", "", lambda: bulla.Stream(v.stream(), ids, role, v.detached)),
               ("random", "random-", lambda: bulla.Random(v.read, v.size, ids, role, v.detached)))
    found = [(f"{c} {at}") for c, at in bulla.inspect(v.read, v.size)]
    yield "keyless", v.keys["keyless"], found
    for name, prefix, make in readers:
        ids = v.identities()
        if v.huge and name == "random" and v.one(prefix + "expect") is None:
            reader = make()  # reading it all would take too long
        else:
            reader, (outcome, clause, data, use) = verdict(make)
            want = expected(v, prefix)
            if raw:  # what it says of the frames is for a reader that decodes them
                length, hash = v.one("raw").split()
                want = ("success", None, int(length), hash, want[4])
            if reader is not None and reader.opened.coding and not raw:
                raise bulla.CannotJudge("coding 1: frames are not decoded")
            yield name, want, (outcome, clause, len(data), hashlib.sha256(data).hexdigest(), use if want[4] else None)
    if reader is None:
        return
    for value in [] if raw else v.keys["range"]:
        offset, length, got, hash, *clause = value.split()
        data, broke = b"", []
        try:
            for piece in reader.range(int(offset), int(length)):
                data += piece
        except bulla.Broken as b:
            broke = [b.clause]
        yield f"range {offset}", (int(got), hash, clause), (len(data), hashlib.sha256(data).hexdigest(), broke)
    keys, use = reader.opened.keys, reader.opened.use
    values = {"cek": keys.cek, "prk": keys.prk, "commitment": keys.commitment, "head-key": keys.head, "slot-id-key": keys.slot_id,
              "payload-node": keys.payload}
    for key, value in values.items():
        if key in v.keys:
            yield key, v.one(key), value.hex()
    for key, derive in (("node", lambda level, i: keys.node(level, i)), ("segment-key", keys.segment), ("final-key", keys.final),
                        ("nonce", lambda i: keys.aead(i, True)[1])):
        for value in v.keys[key]:
            *at, want = value.split()
            yield f"{key} {at}", want, derive(*map(int, at)).hex()
    for key in ("slot-argon2", "slot-okm", "slot-secret"):  # of the head's slots
        for value in v.keys[key] if reader.opened.use.data == v.read(0, reader.opened.H) else []:
            at, want = value.split()
            if f"{key} {at}" in ids.values:
                yield f"{key} {at}", want, ids.values[f"{key} {at}"].hex()

def main():
    directory = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2] / "testdata" / "vectors")
    agreed, checks, wrong, skipped = 0, 0, 0, collections.Counter()
    for path in sorted(directory.glob("*.vector")):
        try:
            v = Vector(path)
            if "member" in v.keys:
                raise bulla.CannotJudge("sets and grants")
            before = wrong
            for what, want, got in run(v):
                checks += 1
                if want != got:
                    wrong += 1
                    print(f"{path.stem}: {what}: want {want}, got {got}")
            agreed += before == wrong
        except bulla.CannotJudge as why:
            skipped[str(why)] += 1
    print(f"{agreed} vectors agree, in {checks} checks; {wrong} checks do not")
    for why, n in sorted(skipped.items()):
        print(f"{n} vectors not judged to the end: {why}")
    sys.exit(wrong > 0)

if __name__ == "__main__":
    main()
