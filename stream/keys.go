package stream

import "bulla/slot"

// Whom containers are for, and what opens them: see package slot. Packages
// keyslot, agekey and tpmkey have those of the specification.
type (
	Recipient = slot.Recipient
	Identity  = slot.Identity
	Named     = slot.Named
)
