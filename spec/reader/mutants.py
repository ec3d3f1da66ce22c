#!/usr/bin/env python3
"""Says what bulla.py makes of any number of containers, for a program that compares it with another reader
(internal/vectors, TestThirdReaderAgrees). Arguments, input and output are those of mutants.mjs, for containers."""
import hashlib
import sys

import bulla
import vectors

def line(make):
    _, (outcome, clause, data, use) = vectors.verdict(make)
    return f"{outcome} {clause or '-'} {len(data)} {hashlib.sha256(data).hexdigest()} {use or ''}"

def main():
    take = sys.stdin.buffer.read
    keks = list(map(bytes.fromhex, sys.argv[1:]))
    while role := take(1):
        length, size = (int.from_bytes(take(4), "big") for _ in range(2))
        detached = take(length) if length < 0xFFFFFFFF else None
        data, at = take(size), 0

        def read(n):
            nonlocal at
            at += n
            return data[at - n:at]

        def read_at(at, n):
            return data[max(0, at):max(0, at + n)]

        ids = bulla.Identities(keks)
        stream = line(lambda: bulla.Stream(read, ids, role[0], detached))
        random = line(lambda: bulla.Random(read_at, size, ids, role[0], detached))
        keyless = ", ".join(f"{clause} {at}" for clause, at in bulla.inspect(read_at, size))
        print(f"{stream} | {random} | {keyless}", flush=True)

if __name__ == "__main__":
    main()
