#!/usr/bin/env python3
"""A reader of bulla containers in Python, written from spec/bulla.md alone.

    bulla.py FILE --kek FILE|--passphrase-file FILE|--identity FILE -o OUT

It needs the package cryptography: 44 for slots of type 2, 48 for slots of type 1. Numbers in
comments are sections of the specification.
"""
import argparse
import contextlib
import hashlib
import hmac
import os
import pathlib
import sys
import tempfile

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

MAGIC = bytes.fromhex("8962756c6c610d0a1a0a")
PAGE, MOST_PAGES = 4096, 64
CHUNK, TAG = 65536, 16
SEALED = CHUNK + TAG  # a chunk that is not the last
MOST_CHUNKS = 1 << 46
LENGTHS = {1: (1168, "HPKE-1"), 2: (117, "PASS-1"), 4: (112, "KEK-1")}  # of slots' bodies

class Broken(Exception):
    """A clause that is violated, and the offset reported with it."""

    def __init__(self, clause, at=0):
        super().__init__(clause or "no key")
        self.clause, self.at = clause, at

def reject(bad, clause, at=0):
    if bad:
        raise Broken(clause, at)

class NoKey(Broken):
    """No slot opened (SLOT-3). The clause is KEY-1, PASS-5 (the outcome is then "limit") or None."""

class CannotJudge(Exception):
    """What this reader, or the package that it uses, does not do."""

def number(data, at, size):
    return int.from_bytes(data[at:at + size], "big")

def be64(x):
    return x.to_bytes(8, "big")

CRC = list(range(256))
for _ in range(8):
    CRC = [x >> 1 ^ (0x82F63B78 if x & 1 else 0) for x in CRC]

def crc32c(data):
    x = 0xFFFFFFFF
    for b in data:
        x = x >> 8 ^ CRC[(x ^ b) & 255]
    return x ^ 0xFFFFFFFF

# -- 3. The head

class Copy:
    """A copy of the head: the first clause that it breaks, if one, and its fields if it is usable."""

    def __init__(self, data, detached=False, exact=False):
        """The copy begins data. If exact, data is not longer than the copy may be."""
        self.data, self.slots, self.intact, self.usable = data, [], False, False
        try:
            self._bytes(detached, exact)
            self._fields()
            self.usable = True
        except Broken as b:
            self.broken = b

    def _bytes(self, detached, exact):
        d = self.data
        reject(d[:10] != MAGIC[:len(d)], "HEAD-1", 0)
        size = PAGE
        if len(d) >= 16:
            self.pages = copy_pages = number(d, 14, 2)
            reject(not 1 <= self.pages <= MOST_PAGES, "HEAD-3", 14)
            if d[10] != 1 and len(d) >= 104:
                copy_pages = number(d, 102, 2)
                reject(not self.pages <= copy_pages <= (MOST_PAGES if detached else self.pages), "HEAD-16", 102)
            size = PAGE * copy_pages
        reject(len(d) < size or exact and len(d) != size, "HEAD-4", len(d))
        reject(crc32c(d[:size - 4]) != number(d, size - 4, 4), "HEAD-5", size - 4)
        self.data, self.intact, self.H = d[:size], True, PAGE * self.pages
        self.identity, self.preamble, self.commitment = d[:96], d[:64], d[64:96]

    def _fields(self):
        d = self.data
        version, self.suite, self.coding, self.role = d[10:14]
        reject(version != 2, "HEAD-2", 10)
        reject(self.suite not in (1, 2), "HEAD-6", 11)
        reject(self.coding > 1, "HEAD-7", 12)
        reject(self.role > 4, "ROLE-1", 13)
        self._zero(16, 28 if self.role in (0, 4) else 16, "HEAD-8")
        self._zero(28, 32 if self.role != 1 else 28, "HEAD-8")
        self.generation, count = number(d, 96, 4), number(d, 100, 2)
        reject(self.generation < 1, "HEAD-9", 96)
        reject(not 1 <= count <= 128, "HEAD-10", 100)
        at, end = 104, len(d) - 36
        for _ in range(count):
            reject(at + 20 > end, "HEAD-11", at)
            kind, length = number(d, at, 2), number(d, at + 2, 2)
            reject(at + 20 + length > end, "HEAD-11", at + 2)
            self._slot(kind, at, d[at + 20:at + 20 + length])
            at += 20 + length
        self._zero(at, end, "HEAD-12")

    def _zero(self, begin, end, clause):
        for at in range(begin, end):
            reject(self.data[at], clause, at)

    def _slot(self, kind, slot, body):
        """Section 5. A slot of a type that is not known is taken as it is (SLOT-1)."""
        at, (length, clause) = slot + 20, LENGTHS.get(kind, (len(body), None))
        reject(len(body) != length, clause, at)
        if kind == 2:
            reject(not 1 <= body[4] <= 16, "PASS-2", at + 4)
            reject(not 32 <= number(body, 0, 4) <= 1 << 20, "PASS-3", at)
            reject(sum(k == 2 for k, _ in self.slots) == 8, "PASS-7", slot)
        if kind == 3:
            reject(not 64 <= len(body) <= 16384 or not body.startswith(b"age-encryption.org/v1\n"), "AGE-1", at)
            for line in body.split(b"\n"):
                if line.startswith(b"---"):
                    break
                reject(line == b"-> scrypt" or line.startswith(b"-> scrypt "), "AGE-2", at)
                at += len(line) + 1
        self.slots.append((kind, body))

# -- 4. Keys

def expand(prk, info, length, hash="sha512"):
    """HKDF-Expand. No output in bulla is longer than one block of the hash."""
    return hmac.digest(prk, info + b"\1", hash)[:length]

class Keys:
    """What follows from a CEK and a preamble. Nodes and segment keys are derived as they are asked for."""

    def __init__(self, cek, preamble):
        self.cek, self.prk = cek, hmac.digest(preamble, cek, "sha512")
        self.suite = AESGCM if preamble[11] == 1 else ChaCha20Poly1305
        self.commitment, self.head, self.slot_id = map(self._derive, (b"commitment", b"head", b"slot id"))
        self.payload, self._known = self._derive(b"payload", 64), {}

    def _derive(self, label, length=32):
        return expand(self.prk, b"bulla/v2 " + label, length)

    def node(self, level, i):
        if (level, i) not in self._known:
            parent = self.payload if level == 2 else self.node(2, i // 32)
            self._known[level, i] = expand(parent, b"bulla/v2 node" + bytes([level]) + be64(i), 64)
        return self._known[level, i]

    def segment(self, s):
        if s not in self._known:
            self._known[s] = expand(self.node(1, s // 32), b"bulla/v2 segment" + be64(s), 32)
        return self._known[s]

    def final(self, i):
        return self._derive(b"final" + be64(i))

    def aead(self, i, last):
        """6. What chunk i is sealed with, and its nonce."""
        return self.suite(self.final(i) if last else self.segment(i // 128)), be64(i) + bytes(4)

    def open(self, i, last, sealed):
        """The plaintext of chunk i, or None."""
        aead, nonce = self.aead(i, last)
        try:
            return aead.decrypt(nonce, sealed, None)
        except InvalidTag:
            return None

    def mac(self, copy):
        return hmac.digest(self.head, copy.data[:-36], "sha512")[:32]

    def forged(self, copy):
        return (copy.usable and hmac.compare_digest(copy.commitment, self.commitment)
                and not hmac.compare_digest(self.mac(copy), copy.data[-36:-4]))

# -- 5. Slots

class Identities:
    """The keys that a reader has: key-encryption keys, passphrases, and seeds of X-Wing."""

    def __init__(self, keks=(), passphrases=(), seeds=(), others=False):
        self.keks, self.passphrases, self.seeds = keks, passphrases, seeds
        self.others = others  # there are identities of type 3, which this reader does not try
        self.values = {}  # of the slots that were tried: what the vectors call them
        self._argon2 = {}

    def find(self, copies):
        """SLOT-2: the keys of the first slot that yields a CEK which fits."""
        broke, missing = None, None
        for copy in copies:
            for n, (kind, body) in enumerate(copy.slots):
                info = b"bulla/v2 slot" + kind.to_bytes(2, "big") + copy.preamble
                try:
                    for cek in self._ceks(n, kind, body, info):
                        keys = Keys(cek, copy.preamble)
                        if hmac.compare_digest(keys.commitment, copy.commitment):  # KEY-1
                            return keys
                        broke = broke or "KEY-1"
                except Broken as limit:
                    broke = limit.clause
                except CannotJudge as why:
                    missing = why
        if missing:
            raise missing
        raise NoKey(broke)

    def _ceks(self, n, kind, body, info):
        if kind == 1:
            for seed in self.seeds:
                yield from self._hpke(n, seed, body, info)
        elif kind == 2 and self.passphrases:
            reject(number(body, 0, 4) * body[4] > 1 << 20, "PASS-5")
            for phrase in self.passphrases:
                if (phrase, body) not in self._argon2:
                    self._argon2[phrase, body] = argon2id(phrase, body[5:37], number(body, 0, 4), body[4])
                for cek in self._kek(n, self._argon2[phrase, body], body[5:], info):
                    self.values[f"slot-argon2 {n}"] = self._argon2[phrase, body]
                    yield cek
        elif kind == 3 and self.others:
            raise CannotJudge("slots of type 3 are not tried")
        elif kind == 4:
            for kek in self.keks:
                yield from self._kek(n, kek, body, info)

    def _kek(self, n, ikm, body, info):
        salt, commit, ct = body[:32], body[32:64], body[64:]
        okm = expand(hmac.digest(salt, ikm, "sha512"), info, 64)
        if hmac.compare_digest(okm[:32], commit):  # PASS-4, KEK-2
            self.values[f"slot-okm {n}"] = okm
            yield from unseal(okm[32:], bytes(12), ct)

    def _hpke(self, n, seed, body, info):
        enc, ct = body[:1120], body[1120:]
        secret = xwing(seed, enc)
        if secret is None:
            return
        suite = b"HPKE" + bytes.fromhex("647a00010003")
        extract = lambda salt, label, ikm=b"": hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")
        context = b"\0" + extract(b"", b"psk_id_hash") + extract(b"", b"info_hash", info)
        prk = extract(secret, b"secret")
        key, nonce = (expand(prk, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context, size, "sha256")
                      for size, label in ((32, b"key"), (12, b"base_nonce")))
        for cek in unseal(key, nonce, ct):
            self.values.update({f"slot-secret {n}": secret, f"slot-okm {n}": key + nonce})
            yield cek

def unseal(key, nonce, ct):
    with contextlib.suppress(InvalidTag):
        yield ChaCha20Poly1305(key).decrypt(nonce, ct, None)

def argon2id(phrase, salt, kib, passes):
    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
        return Argon2id(salt=salt, length=32, iterations=passes, lanes=4, memory_cost=kib).derive(phrase)
    except Exception as e:
        raise CannotJudge("this cryptography has no Argon2id") from e

def xwing(seed, enc):
    """The shared secret of enc, or None if it has none."""
    expanded = hashlib.shake_256(seed).digest(96)
    try:
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
        kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    except Exception as e:
        raise CannotJudge("this cryptography has no ML-KEM") from e
    curve, e = X25519PrivateKey.from_private_bytes(expanded[64:]), enc[1088:]
    try:
        shared = curve.exchange(X25519PublicKey.from_public_bytes(e))
    except ValueError:  # it is zero
        return None
    return hashlib.sha3_256(kem.decapsulate(enc[:1088]) + shared + e + curve.public_key().public_bytes_raw()
                            + bytes.fromhex("5c2e2f2f5e5c")).digest()

def seed_of(text):
    """The seed in AGE-SECRET-KEY-PQ-1…: Bech32 (BIP 173) without a limit of length."""
    alphabet, prefix = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", "AGE-SECRET-KEY-PQ-"
    values, check = [alphabet.index(c) for c in text[len(prefix) + 1:]], 1
    for v in [ord(c) >> 5 for c in prefix.lower()] + [0] + [ord(c) & 31 for c in prefix.lower()] + values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ v
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= g if top >> i & 1 else 0
    bits = 0
    for v in values[:-6]:
        bits = bits << 5 | v
    if check != 1 or len(values) != 58 or bits & 15 or not text.startswith(prefix + "1"):
        raise ValueError("not a post-quantum secret key")
    return (bits >> 4).to_bytes(32, "big")

# -- 8. Reading

class Opened:
    """The copies of a container whose keys were found, for either reader."""

    def __init__(self, copies, ids, role):
        usable = [c for c in copies if c and c.usable]
        if not usable:
            raise copies[0].broken
        reject(role is not None and usable[0].role != role, "ROLE-2")
        usable.sort(key=lambda c: -c.generation)  # equals keep their order
        self.use, self.coding, self.keys = usable[0], usable[0].coding, ids.find(usable)
        reject(any(map(self.keys.forged, usable)), "HEAD-13")
        self.H = self.use.H

    def name(self, otherwise, start, window, end, last, size):
        """What the failure of a chunk is called. The window begins with the chunk, at start, and has H bytes more
        than it, and one; end is the last H bytes of the container, if the chunk was opened as the last."""
        at = -1
        for _ in range(16):
            at = window.find(self.use.preamble, at + 1, SEALED + 63)
            if at < 0:
                break
            if len(window) > at + self.H and Copy(window[at:at + self.H], exact=True).intact:
                return Broken("FILE-4", start + at + self.H)
        if last and (end.find(self.use.preamble, 1) >= 0 or not Copy(end, exact=True).intact
                     and sum(a == b for a, b in zip(end, self.use.data)) < self.H // 8):
            return Broken("FILE-1", size)
        return Broken(otherwise, start)

def differ(a, b):
    return a and b and a.intact and b.intact and a.identity != b.identity

def warning(head, tail):
    """TAIL-3: the clause to warn of, or None."""
    if not head.usable:
        return head.broken.clause
    if not tail or not tail.usable:
        return "TAIL-1"
    return "TAIL-2" if head.data != tail.data else None

def detached_head(data):
    copy = None if data is None else Copy(data, detached=True)
    if copy and not copy.usable:
        raise copy.broken
    return copy

class Stream:
    """Reads a container from the front to the end. chunks() releases the plaintext, and ends with an error or a
    warning. read(n) returns up to n bytes, and none at the end."""

    def __init__(self, read, ids, role=0, detached=None):
        self._read, self._ahead, self.warning = read, b"", None
        self.head, self.detached = None, detached_head(detached)
        self.head = Copy(self._peek(MOST_PAGES * PAGE))
        reject(differ(self.head, self.detached), "READ-4")
        self.opened = Opened([self.head, self.detached], ids, role)
        self._ahead = self._ahead[self.opened.H:]

    def _peek(self, n):
        while len(self._ahead) < n and (more := self._read(n - len(self._ahead))):
            self._ahead += more
        return self._ahead[:n]

    def chunks(self):
        keys, H, i = self.opened.keys, self.opened.H, 0
        reject(len(self._peek(H + TAG)) < H + TAG, "FILE-1")
        last = False
        while not last:
            reject(i == MOST_CHUNKS, "FILE-3")
            ahead = self._peek(SEALED + TAG + H)
            last = len(ahead) < SEALED + TAG + H  # CHUNK-2
            piece = ahead[:-H] if last else ahead[:SEALED]
            fits = not last or len(piece) < SEALED
            plain = keys.open(i, last, piece) if fits else None
            if plain is None:
                raise self.opened.name("CHUNK-1" if fits else "FILE-2", 0, ahead, ahead[-H:], last, 0)
            yield plain
            self._ahead, i = self._ahead[len(piece):], i + 1
        tail = Copy(self._peek(H), exact=True)
        for other, clause in ((self.head, "COPY-1"), (self.detached, "READ-4")):
            reject(differ(tail, other), clause)
        reject(keys.forged(tail), "HEAD-13")
        self.warning = warning(self.head, tail)

def places(read, size):
    """READ-2: the head, and the tail or None. read(at, n) returns the n bytes at that offset, or as many as there are."""
    head = Copy(read(0, MOST_PAGES * PAGE))
    if head.intact:
        return head, Copy(read(max(0, size - head.H), head.H), exact=True)
    for pages in range(1, MOST_PAGES + 1):
        if size >= pages * PAGE:
            tail = Copy(read(size - pages * PAGE, pages * PAGE), exact=True)
            if tail.intact:
                return head, tail
    return head, None

class Random:
    """Reads any part of a container."""

    def __init__(self, read, size, ids, role=0, detached=None):
        self._read, self._size = read, size
        det = detached_head(detached)
        head, tail = places(read, size)
        reject(differ(head, tail), "COPY-1")
        reject(differ(det, head) or differ(det, tail), "READ-4")
        self.opened = Opened([head, tail, det], ids, role)
        H, payload = self.opened.H, size - 2 * self.opened.H
        self.count = payload // SEALED + 1
        reject(payload < TAG, "FILE-1", size)
        if payload % SEALED < TAG:
            raise self._fail(self.count - 2, True, "FILE-2")
        reject(self.count > MOST_CHUNKS, "FILE-3", H)
        self.length, self.warning = payload - TAG * self.count, warning(head, tail)
        self.chunk(self.count - 1)  # before any other

    def chunk(self, i):
        last = i == self.count - 1
        start = self.opened.H + i * SEALED
        plain = self.opened.keys.open(i, last, self._read(start, self._size - self.opened.H - start if last else SEALED))
        if plain is None:
            raise self._fail(i, last, "CHUNK-1")
        return plain

    def _fail(self, i, last, otherwise):
        H, start = self.opened.H, self.opened.H + i * SEALED
        return self.opened.name(otherwise, start, self._read(start, SEALED + H + 1), self._read(self._size - H, H), last, self._size)

    def chunks(self):
        yield from map(self.chunk, range(self.count))

    def range(self, offset, length):
        end = min(offset + length, self.length)
        while offset < end:
            i, skip = divmod(offset, CHUNK)
            yield self.chunk(i)[skip:skip + end - offset]
            offset = (i + 1) * CHUNK

def inspect(read, size):
    """What a check without a key finds, in order: clauses and offsets."""
    head, tail = places(read, size)
    found = [] if head.usable else [(head.broken.clause, head.broken.at)]
    known = [c for c in (head, tail) if c and c.intact]
    at = max(0, size - known[0].H) if known else 0
    if differ(head, tail):
        last = [("COPY-1", at)]
    elif not tail or not tail.usable or head.intact and size < 2 * head.H:
        last = [("TAIL-1", at)]
    elif head.usable and head.data != tail.data:
        last = [("TAIL-2", 0 if tail.generation > head.generation else at)]
    else:
        last = []
    usable = [c for c in known if c.usable]
    if not usable:
        return found + [f for f in last if f[0] == "COPY-1"]
    count, rest = divmod(size - 2 * usable[0].H, SEALED)
    if count < 0 or count == 0 and rest < TAG:
        found.append(("FILE-1", size))
    elif rest < TAG:
        found.append(("FILE-2", usable[0].H + count * SEALED))
    elif count >= MOST_CHUNKS:
        found.append(("FILE-3", usable[0].H))
    return found + last

def main():
    arguments = argparse.ArgumentParser(description="Decrypt a bulla container of role 0 and coding 0.")
    arguments.add_argument("file")
    for flag in ("--kek", "--passphrase-file", "--identity"):
        arguments.add_argument(flag, action="append", default=[])
    arguments.add_argument("-o", required=True, help="appears when everything has opened")
    args = arguments.parse_args()
    content = lambda name: pathlib.Path(name).read_bytes()
    seeds = [seed_of(line) for name in args.identity for line in content(name).decode().split() if line[:15] == "AGE-SECRET-KEY-"]
    ids = Identities(list(map(content, args.kek)), [content(name).removesuffix(b"\n") for name in args.passphrase_file], seeds)
    try:
        with open(args.file, "rb") as f, tempfile.NamedTemporaryFile(dir=os.path.dirname(args.o) or ".") as out:
            stream = Stream(f.read, ids)
            reject(stream.opened.coding, "HEAD-7")
            out.writelines(stream.chunks())
            out.flush()
            os.link(out.name, args.o)
    except (Broken, CannotJudge, OSError) as e:
        sys.exit(f"error: {e}")
    if stream.warning:
        print("warning:", stream.warning, file=sys.stderr)

if __name__ == "__main__":
    main()
