package format

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// A Role is what a container is for; see spec/registry.md.
type Role byte

const (
	RoleFile   Role = 0 // a file of its own
	RoleVolume Role = 1 // a piece of a set's content
	RoleRoot   Role = 2 // the set, for its recipients
	RoleIndex  Role = 3 // the list of a set's volumes
	RoleGrant  Role = 4 // the right to read a range of another container
)

var roleNames = []string{"file", "volume", "set root", "set index", "grant"}

func (r Role) String() string {
	if r.Known() {
		return roleNames[r]
	}
	return fmt.Sprintf("role %d", byte(r))
}

// Known reports whether r is registered (ROLE-1).
func (r Role) Known() bool { return int(r) < len(roleNames) }

// InSet reports whether a container of role r belongs to a set, whose id it has.
func (r Role) InSet() bool { return RoleVolume <= r && r <= RoleIndex }

// SetIDSize is the length of a [SetID] in bytes.
const SetIDSize = 12

// A SetID is drawn at random for a set and stands in all of its containers.
type SetID [SetIDSize]byte

func (s SetID) String() string { return hex.EncodeToString(s[:]) }

// A Part is what a container is for, and which part of which set. The zero Part is
// a file of its own.
type Part struct {
	Role   Role
	Set    SetID  // of a role in a set; else zero
	Number uint32 // of a volume, from 0; else zero
}

// check enforces ROLE-1 and HEAD-8: that there is nothing in a field that the role
// does not have.
func (p *Part) check() error {
	if !p.Role.Known() {
		return &ParseError{ROLE1, "role", offRole, ErrUnsupported, fmt.Sprintf("role %d is not registered", p.Role)}
	}
	if i := firstNonZero(p.Set[:]); i >= 0 && !p.Role.InSet() {
		return &ParseError{HEAD8, "set id", int64(offSetID + i), ErrUnsupported, fmt.Sprintf("a %v has no set id, and this byte is not zero", p.Role)}
	}
	number := binary.BigEndian.AppendUint32(nil, p.Number)
	if i := firstNonZero(number); i >= 0 && p.Role != RoleVolume {
		return &ParseError{HEAD8, "number", int64(offNumber + i), ErrUnsupported, fmt.Sprintf("a %v has no number, and this byte is not zero", p.Role)}
	}
	return nil
}
