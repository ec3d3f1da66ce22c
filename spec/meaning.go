package spec

import "strings"

// meaning is what is said of a clause by itself, or for all of its family.
func (c *Clause) meaning() meaning {
	family, _, _ := strings.Cut(c.ID, "-")
	m, ok := meanings[c.ID]
	switch {
	case ok:
		return m
	case c.Binds == Writer:
		return meaning{"no file shows it: the program that wrote the file made a mistake that may weaken it.", "report it to whoever makes that program, and encrypt again with another."}
	case c.Binds == Reader:
		return meaning{"no file breaks it: it binds the program that reads. Cited for a file, it says why that file was not opened.", "try another key or a newer program; if both are right, report it to whoever makes the program."}
	}
	return meanings[family]
}

type meaning struct{ means, remedy string }

// What several clauses of a family have in common.
const (
	mendHead = "if the other copy of the head is good, bulla recipients repair mends this one; otherwise bulla head restore puts a detached head back."
	anyCopy  = "get another copy of the file; bulla salvage gets out what is left of this one."
)

// meanings are by clause, or by family for those that mean the same.
var meanings = map[string]meaning{
	"FILE":   {"the file is cut off, or something was added to it or taken out of it.", anyCopy},
	"FILE-1": {"the file is cut off: its end is missing.", "copy it again from where it came; bulla cat --truncated and bulla salvage read what is there."},
	"FILE-3": {"the file is larger than any container.", "nothing this large was written by this program: look where the file came from."},
	"FILE-4": {"something follows the end of the container. The content before it is intact.", "find out what appended to the file, and cut that off."},

	"HEAD":    {"a copy of the head, which says how the file is encrypted and for whom, is damaged or was not written by a correct program.", mendHead},
	"HEAD-1":  {"the file does not begin as a container does: it is something else, or its beginning was overwritten.", "see what it is with the command file; if it was a container, use bulla head restore or bulla salvage."},
	"HEAD-2":  {"the file is of another version of the format, which this program does not know.", "read it with the version of bulla that wrote it, or a newer one."},
	"HEAD-4":  {"the file ends within its head.", "copy it again from where it came."},
	"HEAD-5":  {"a copy of the head is damaged: its checksum does not fit.", mendHead},
	"HEAD-6":  {"the content is sealed with a cipher that this program does not know.", "read it with a newer bulla."},
	"HEAD-7":  {"the content is coded in a way that this program does not know.", "read it with a newer bulla."},
	"HEAD-13": {"the head was changed by someone who cannot open the file. The list of recipients is not to be trusted.", "compare with another copy of the file; bulla recipients repair makes the authentic copy of the head stand in both places."},

	"HEAD-8": {"the head uses something that this version of the format reserves.", "read it with a newer bulla."},

	"ROLE":   {"the file has a purpose that this program does not know.", "read it with a newer bulla."},
	"ROLE-2": {"the file is a part of a set, or a grant, and not a file to be read by itself.", "give the root of the set, NAME.bulla; a grant is given with -g."},

	"KEY":  {"a slot holds a key that is not this file's: the head was put together from two files, or forged.", mendHead},
	"SLOT": {"the list of those who can open the file is not as it should be.", "bulla recipients list shows the slots; write the recipients anew with bulla recipients."},
	"HPKE": {"the slot of a public key is malformed: it was damaged before the head was written.", "open the file with another recipient's key, and replace the slot with bulla recipients add --replace."},
	"PASS": {"the slot of a passphrase is malformed, or asks for more memory or time than a reader may be made to spend.", "open the file with another recipient's key, and replace the slot with bulla recipients add --replace."},
	"AGE":  {"the slot that age made is malformed.", "open the file with another recipient's key, and replace the slot with bulla recipients add --replace."},
	"KEK":  {"the slot of a symmetric key is malformed.", "open the file with another recipient's key, and replace the slot with bulla recipients add --replace."},

	"CHUNK": {"a piece of 64 KiB of the content was damaged or changed. Nothing of it can be read; the rest can.", anyCopy},

	"TAIL":   {"the copy of the head at the end of the file is damaged or missing. The content is not touched.", "bulla recipients repair writes it anew."},
	"TAIL-2": {"the two copies of the head differ, as an interrupted change of recipients leaves them. A removed recipient may still open the older.", "bulla recipients repair makes both the newer one."},

	"COPY": {"the copies of the head are those of two containers: the file was put together, and two recipients might read two contents.", "get another copy of the file; bulla salvage --from head or --from tail reads it by one of the two."},

	"ZSTD": {"what is compressed in the file is not as it should be: the program that compressed it made a mistake. What is sealed is authentic.", "bulla decrypt --raw gives the Zstandard stream as it is, for another program to try; report it to whoever wrote the file."},

	"SET":    {"a part of a set is not what the set says: it is missing, another's, older, or was not written by a correct program.", "put the right part in its place; bulla salvage gets out what the others hold."},
	"SET-1":  {"a part of the set is missing. Without its index a set is unfinished, or has lost it.", "put the part beside the root; bulla encrypt --resume finishes a set, and makes a lost index anew with a key."},
	"SET-2":  {"the file is another part, or a part of another set.", "put the right file in its place: the names were exchanged, or a copy went wrong."},
	"SET-4":  {"the file can be opened by others than the set: its head was changed.", "get another copy of the file; recipients are added to the root alone."},
	"SET-13": {"the index was made or changed by someone who does not have the set's keys.", "compare with another copy; without its index, bulla encrypt --resume makes it anew with a key and the source."},
	"SET-17": {"the volume is of an earlier attempt at this set, or an older copy.", "put the volume that belongs to this index in its place."},

	"GRANT":    {"the grant was not written by a correct program.", "ask its maker for another one."},
	"GRANT-11": {"the file is not the one that the grant is for, or not all of it is there.", "look for the file that was there when the grant was made."},

	"PAR":       {"the parity file is damaged, or is another file's.", "make another one with bulla parity, once bulla verify finds the file itself valid."},
	"ORIGIN":    {"the signature is not one of this file as it is, or not by a signer that you allow.", "ask whoever signed the file for it, and compare with their copy."},
	"ORIGIN-5":  {"the key that signed is not one that you allow, or not for this namespace, or not at this time.", "find out whose key it is; if you trust it, put it among the allowed signers."},
	"ORIGIN-10": {"a part of the set was not signed with it, or its root was signed alone.", "ask whoever signed the set to sign it as it is: bulla sign ROOT."},
	"EPOCH":     {"the calendar or the keeper is damaged, or was not written by a correct program.", "get another copy of it; without one, what only its keys open is lost."},
}
