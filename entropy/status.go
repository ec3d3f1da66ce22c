package entropy

import "time"

// Status is what there is to say of one source.
type Status struct {
	Name     string `json:"name"`
	State    State  `json:"state"`
	Required bool   `json:"required"`

	Detail string `json:"detail,omitempty"` // what the source is, where it is there
	Reason string `json:"reason,omitempty"` // why it is not active
	Hint   string `json:"hint,omitempty"`   // what would make it so, where that is known

	Startup  string        `json:"startup"`    // the start-up test: "passed", "failed", "not run", or "none" where there is none
	Bytes    int           `json:"bytes"`      // what it contributes to one draw
	Draws    uint64        `json:"draws"`      // draws it gave, in this process
	Retries  uint64        `json:"retries"`    // attempts that gave nothing and were repeated
	Failures uint64        `json:"failures"`   // draws and tests that failed; the first shuts the source
	Latency  time.Duration `json:"latency_ns"` // of the last draw

	TPM *TPMStatus `json:"tpm,omitempty"` // of the source "tpm", where there is one
}

// Status describes every source the program knows, "os" first, the rest in the
// order in which they contribute. It looks for those that no Fill has looked
// for yet and runs the start-up test of those the mixer draws on, which takes
// as long as the slowest of them: a TPM, up to four seconds if it hangs.
func (m *Mixer) Status() []Status {
	list := []Status{{
		Name: m.os.Name(), State: Active, Required: m.required[m.os.Name()],
		Detail:  "the operating system's generator, always mixed in",
		Startup: "none", Bytes: saltSize,
	}}
	for _, t := range m.all {
		var s Status
		if m.chosen[t.name] {
			t.start()
			s = t.status()
			s.Required = m.required[t.name]
		} else {
			t.find()
			s = t.status()
			if s.State == Active {
				s.State, s.Reason, s.Hint = Excluded, "not chosen", "name it among the sources"
				if t.optIn != "" {
					s.Reason = t.optIn
				}
			}
		}
		list = append(list, s)
	}
	return list
}

// LeftOut describes the sources that Fill has left out: those that failed, and those
// that Options.Sources names and that are not there. It looks for none itself.
func (m *Mixer) LeftOut() (list []Status) {
	for _, t := range m.taps {
		if s := t.status(); s.State == Failed || m.named[t.name] && s.State != Active {
			list = append(list, s)
		}
	}
	return list
}

// A describer is a source that has more to say of itself.
type describer interface{ describe(*Status) }

func (t *tap) status() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Status{
		Name: t.name, State: Active, Startup: string(t.startup), Bytes: t.size,
		Draws: t.draws, Failures: t.failures, Latency: t.latency,
	}
	if !t.random() {
		s.Startup = "none"
	}
	if d, ok := t.src.(describer); ok {
		d.describe(&s)
	}
	if t.off != nil {
		s.State, s.Reason, s.Hint = t.off.state, t.off.reason, t.off.hint
	}
	return s
}
