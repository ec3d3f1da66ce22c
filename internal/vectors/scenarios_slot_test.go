package vectors

import (
	"bytes"
	"slices"

	"bulla/format"
)

// Slots that break a clause of section 5, and slots that do not open.

// badSlots break a clause that needs no key. The slot stands after a good one: a
// head is malformed whichever slot is.
func badSlots() (all []scenario) {
	const body = atBody + format.KEKBodySize + 20 // of the second slot
	for _, c := range []struct {
		name, comment string
		slot          slot
		want          format.Clause
		at            int // in the body
	}{
		{"hpke_1167", "an hpke slot one byte too short", sized(pq(pqA), 1167), format.HPKE1, 0},
		{"hpke_1169", "an hpke slot one byte too long", sized(pq(pqA), 1169), format.HPKE1, 0},
		{"hpke_0", "an hpke slot without a body", sized(pq(pqA), 0), format.HPKE1, 0},
		{"passphrase_116", "a passphrase slot one byte too short", sized(passphrase(passA), 116), format.PASS1, 0},
		{"passphrase_118", "a passphrase slot one byte too long", sized(passphrase(passA), 118), format.PASS1, 0},
		{"passphrase_passes_0", "no passes", costing(32, 0), format.PASS2, 4},
		{"passphrase_passes_17", "one pass more than there may be", costing(32, 17), format.PASS2, 4},
		{"passphrase_passes_255", "255 passes over too little memory: the passes come first", costing(1, 255), format.PASS2, 4},
		{"passphrase_kib_0", "no memory", costing(0, 1), format.PASS3, 0},
		{"passphrase_kib_31", "1 KiB less than there may be", costing(31, 1), format.PASS3, 0},
		{"passphrase_kib_over", "1 KiB more than there may be", costing(1<<20+1, 1), format.PASS3, 0},
		{"passphrase_kib_max", "4 TiB of memory", costing(1<<32-1, 1), format.PASS3, 0},
		{"age_63", "an age file one byte too short", sized(age(ageFile{}), 63), format.AGE1, 0},
		{"age_16385", "an age file one byte too long", age(ageFile{pad: format.MaxAgeBody + 1}), format.AGE1, 0},
		{"age_v2", "an age file of version 2", age(ageFile{intro: "age-encryption.org/v2\n"}), format.AGE1, 0},
		{"age_crlf", "an age file whose first line ends in CR LF", age(ageFile{intro: "age-encryption.org/v1\r\n"}), format.AGE1, 0},
		{"age_armored", "an armored age file", age(ageFile{intro: "-----BEGIN AGE ENCRYPTED FILE-----\n"}), format.AGE1, 0},
		{"age_scrypt", "an age file for a passphrase", age(ageFile{noStanza: true, before: scryptStanza}), format.AGE2, 22},
		{"age_scrypt_after", "an age file with a scrypt stanza after the recipient's", age(ageFile{after: scryptStanza}), format.AGE2, 120},
		{"age_scrypt_first_of_two", "an age file with a scrypt stanza before the recipient's", age(ageFile{before: scryptStanza}), format.AGE2, 22},
		{"age_scrypt_bare", "an age file with a scrypt stanza without arguments", age(ageFile{after: stanza(nil, "scrypt")}), format.AGE2, 120},
		{"kek_111", "a kek slot one byte too short", sized(kek(keyB), 111), format.KEK1, 0},
		{"kek_113", "a kek slot one byte too long", sized(kek(keyB), 113), format.KEK1, 0},
		{"kek_relabelled", "a kek slot under the type of a passphrase slot", relabelled(kek(keyB), 2), format.PASS1, 0},
	} {
		s := scenario{
			name: "slot_" + c.name, comment: c.comment, file: file{slots: []slot{kek(keyA), c.slot}, plain: 100},
			want: string(c.want), keyless: at(c.want, body+c.at),
		}
		if c.name == "age_16385" {
			s.pages = 5
		}
		if c.want == format.PASS2 || c.want == format.PASS3 {
			s.covers = []format.Clause{format.READ3}
		}
		all = append(all, s)
	}
	return append(all, scenario{
		name: "slot_bad_and_padding", comment: "a slot of a wrong size, and padding that is not zero: the slot comes first",
		file: file{slots: []slot{sized(kek(keyA), 111)}, plain: 100}, change: []change{inBoth(set(2000, 1), remac)},
		want: "KEK-1", keyless: at(format.KEK1, atBody),
	})
}

// scryptStanza is as age makes it, for no passphrase in particular.
var scryptStanza = stanza(make([]byte, 32), "scrypt", b64(make([]byte, 16)), "10")

// noKeys do not open, and no clause is violated; or one that only the key shows.
func noKeys() (all []scenario) {
	const other = "another container"
	moved := func(s slot) []slot { return []slot{taken(s, other)} }
	for _, c := range []struct {
		name, comment string
		slots         []slot
		key           Key
		clause        format.Clause
		covers        []format.Clause
	}{
		{"wrong_kek", "another key-encryption key", nil, withKEK(keyB), "", nil},
		{"wrong_passphrase", "another passphrase", []slot{passphrase(passA)}, withPassphrase(passB), "", nil},
		{"wrong_hpke", "another identity", []slot{pq(pqA)}, withPQ(pqB), "", nil},
		{"wrong_age", "an identity of age that the slot is not for", []slot{stock(stockEd25519Recipient, stockEd25519File)}, withAge(stockAgeIdentity), "", nil},
		{"wrong_kind", "a passphrase for a slot that takes none", nil, withPassphrase(passA), "", nil},
		{"unknown_slot", "a slot of unknown type, and no other", []slot{unknown(0x7fff, 100)}, withKEK(keyA), "", []format.Clause{format.SLOT1}},

		{"kek_moved", "a kek slot of another container", moved(kek(keyA)), withKEK(keyA), "", nil},
		{"passphrase_moved", "a passphrase slot of another container", moved(passphrase(passA)), withPassphrase(passA), "", nil},
		{"hpke_moved", "an hpke slot of another container", moved(pq(pqA)), withPQ(pqA), "", nil},
		{"age_moved", "an age slot of another container, which opens: the commitment shows it", moved(age(ageFile{})), withAge(stockAgeIdentity), format.KEY1, nil},
		{"kek_wrong_info", "a kek slot that was made as if it had type 2", []slot{typed(keyA, 2)}, withKEK(keyA), "", nil},

		{"kek_salt", "a bit of a kek slot's salt", []slot{flipped(kek(keyA), 0)}, withKEK(keyA), "", nil},
		{"kek_commit", "a bit of commit, while ct would open", []slot{flipped(kek(keyA), 40)}, withKEK(keyA), "", []format.Clause{format.KEK2}},
		{"kek_commit_end", "the last bit of commit, while ct would open", []slot{lastBit(kek(keyA), 63)}, withKEK(keyA), "", []format.Clause{format.KEK2}},
		{"passphrase_commit_end", "the last bit of commit, while ct would open", []slot{lastBit(passphrase(passA), 68)}, withPassphrase(passA), "", []format.Clause{format.PASS4}},
		{"kek_ct", "commit fits, and ct does not open", []slot{flipped(kek(keyA), 70)}, withKEK(keyA), "", nil},
		{"passphrase_commit", "a bit of commit, while ct would open", []slot{flipped(passphrase(passA), 40)}, withPassphrase(passA), "", []format.Clause{format.PASS4}},
		{"passphrase_ct", "commit fits, and ct does not open", []slot{flipped(passphrase(passA), 116)}, withPassphrase(passA), "", nil},
		{"passphrase_passes", "another number of passes than the slot was made with", []slot{patched(passphrase(passA), 4, 2)}, withPassphrase(passA), "", nil},
		{"passphrase_kib", "another amount of memory than the slot was made with", []slot{patched(passphrase(passA), 0, 0, 0, 0, 40)}, withPassphrase(passA), "", nil},
		{"hpke_enc_mlkem", "a bit of the ML-KEM ciphertext", []slot{flipped(pq(pqA), 0)}, withPQ(pqA), "", nil},
		{"hpke_enc_x25519", "a bit of the X25519 ephemeral", []slot{flipped(pq(pqA), 1088)}, withPQ(pqA), "", nil},
		{"hpke_enc_zero", "an X25519 ephemeral of low order", []slot{patched(pq(pqA), 1088, make([]byte, 32)...)}, withPQ(pqA), "", nil},
		{"hpke_ct", "a bit of ct", []slot{flipped(pq(pqA), 1120)}, withPQ(pqA), "", nil},
		{"age_mac", "a bit of the age header's MAC", []slot{age(ageFile{mac: 1})}, withAge(stockAgeIdentity), "", nil},
		{"age_payload", "a bit of the age payload", []slot{age(ageFile{tag: 1})}, withAge(stockAgeIdentity), "", nil},
		{"age_31", "an age file that holds 31 bytes", []slot{age(ageFile{plain: first(31)})}, withAge(stockAgeIdentity), format.AGE3, nil},
		{"age_33", "an age file that holds 33 bytes", []slot{age(ageFile{plain: first(33)})}, withAge(stockAgeIdentity), format.AGE3, nil},
		{"age_0", "an age file that holds nothing", []slot{age(ageFile{plain: first(0)})}, withAge(stockAgeIdentity), format.AGE3, nil},

		{"two_ceks", "two slots with different CEKs; the key of the wrong one", []slot{kek(keyA), holding(kek(keyB), other)}, withKEK(keyB), format.KEY1, nil},
		{"foreign_cek_hpke", "an hpke slot with another CEK", []slot{holding(pq(pqA), other)}, withPQ(pqA), format.KEY1, nil},
		{"foreign_cek_passphrase", "a passphrase slot with another CEK", []slot{holding(passphrase(passA), other)}, withPassphrase(passA), format.KEY1, nil},
	} {
		all = append(all, scenario{
			name: "no_key_" + c.name, comment: c.comment, file: file{slots: c.slots, plain: 100}, keys: []Key{c.key},
			want: "no-key " + string(c.clause), covers: append(c.covers, format.SLOT3),
		})
	}
	return append(all, noKeyHeads()...)
}

// noKeyHeads do not open because something else than the slots does not fit.
func noKeyHeads() []scenario {
	aged := []slot{age(ageFile{})}
	ageKey := []Key{withAge(stockAgeIdentity)}
	two := []slot{holding(kek(keyB), "another container"), kek(keyA)}
	commitment := func(_ *box, c []byte) []byte {
		copy(c[atCommitment:], build(file{label: "another container"}).Commitment)
		return c
	}
	return []scenario{
		{name: "no_key_none", comment: "no key at all", file: file{plain: 100}, keys: []Key{}, want: "no-key", covers: []format.Clause{format.SLOT3}},
		{name: "no_key_commitment", comment: "the commitment of another container; the MAC is right", file: file{plain: 100},
			change: []change{inBoth(commitment, remac)}, want: "no-key KEY-1"},
		{name: "no_key_commitment_repaired", comment: "a bit of the commitment, with the checksum repaired: the MAC comes later", file: file{plain: 100},
			change: []change{inBoth(flip(atCommitment), repair)}, want: "no-key KEY-1"},
		{name: "no_key_commitment_end", comment: "the last bit of the commitment; the MAC is right", file: file{plain: 100},
			change: []change{inBoth(flip(atCommitment+31), remac)}, want: "no-key KEY-1"},
		{name: "no_key_suite", comment: "the other suite, with the checksum repaired", file: file{plain: 100},
			change: []change{inBoth(set(atSuite, 2), repair)}, want: "no-key"},
		{name: "no_key_suite_age", comment: "the other suite, with the checksum repaired; the slot is not bound to it, the commitment is",
			file: file{slots: aged, plain: 100}, keys: ageKey, change: []change{inBoth(set(atSuite, 2), repair)}, want: "no-key KEY-1"},
		{name: "no_key_coding", comment: "the other coding, with the checksum repaired", file: file{plain: 100},
			change: []change{inBoth(set(atCoding, 1), repair)}, want: "no-key"},
		{name: "no_key_salt_age", comment: "another salt, with the checksum repaired", file: file{slots: aged, plain: 100}, keys: ageKey,
			change: []change{inBoth(flip(atSalt), repair)}, want: "no-key KEY-1"},
		{name: "key_two_ceks", comment: "two slots with different CEKs and both keys, that of the wrong one first: it counts as not opened",
			file: file{slots: two, plain: 100}, keys: []Key{withKEK(keyB), withKEK(keyA)}, want: "ok", covers: []format.Clause{format.SLOT2, format.KEY1}},
		{name: "limit_one", comment: "a passphrase slot that costs too much, and nothing else", file: file{slots: []slot{costing(1<<20, 16)}, plain: 100},
			keys: []Key{withPassphrase(passA)}, want: "PASS-5", keyless: none},
		{name: "limit_one_more", comment: "a passphrase slot that costs as little too much as there can be", file: file{slots: []slot{costing(1<<19+1, 2)}, plain: 100},
			keys: []Key{withPassphrase(passA)}, want: "PASS-5"},
		{name: "limit_after", comment: "two passphrase slots: another's, and one that costs too much",
			file: file{slots: []slot{passphrase(passB), costing(1<<20, 2)}, plain: 100}, keys: []Key{withPassphrase(passA)}, want: "PASS-5",
			covers: []format.Clause{format.SLOT2}},
		{name: "limit_other_key", comment: "a passphrase slot that costs too much, and a key-encryption key that fits nothing: it is the one passed over that counts",
			file: file{slots: []slot{costing(1<<20, 16), kek(keyA)}, plain: 100}, keys: []Key{withKEK(keyB), withPassphrase(passA)}, want: "PASS-5"},
		{name: "limit_passed_over", comment: "a passphrase slot that costs too much, before the one that opens",
			file: file{slots: []slot{costing(1<<20, 16), passphrase(passA)}, plain: 100}, keys: []Key{withPassphrase(passA)}, want: "ok",
			covers: []format.Clause{format.PASS5, format.SLOT2}},
		{name: "limit_other_key_opens", comment: "a passphrase slot that costs too much, and a key-encryption key that opens another: both keys are given, the passphrase first",
			file: file{slots: []slot{costing(1<<20, 16), kek(keyA)}, plain: 100}, keys: []Key{withPassphrase(passA), withKEK(keyA)}, want: "ok",
			covers: []format.Clause{format.PASS5, format.SLOT2}},
		{name: "limit_most_passphrases", comment: "as many passphrase slots as there may be, the last of which opens",
			file: file{slots: passphrases(format.MaxPassphraseSlots), plain: 100}, keys: []Key{withPassphrase(passA)}, want: "ok",
			covers: []format.Clause{format.SLOT2, format.PASS7}},
		{name: "limit_a_passphrase_more", comment: "a passphrase slot more than there may be, while another key would open",
			file: file{slots: append([]slot{kek(keyA)}, passphrases(format.MaxPassphraseSlots+1)...), plain: 100}, want: "PASS-7",
			keyless: at(format.PASS7, atBody-20+(20+format.KEKBodySize)+format.MaxPassphraseSlots*(20+format.PassphraseBodySize))},
	}
}

// passphrases are slots for passphrase B, the last of them for A.
func passphrases(n int) []slot {
	return append(slices.Repeat([]slot{passphrase(passB)}, n-1), passphrase(passA))
}

// typed is a slot of type 4 with the info of another.
func typed(key []byte, as uint16) slot {
	return func(x *box, i int) (uint16, string, []byte) {
		return 4, "", x.symmetric(as, i, key, x.draw("slot salt", i))
	}
}

// first is n bytes of the CEK, or of it and zeros.
func first(n int) func(cek []byte) []byte {
	return func(cek []byte) []byte { return append(bytes.Clone(cek), 0)[:n] }
}
