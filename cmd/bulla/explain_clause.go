package main

import (
	"strings"

	"bulla/internal/safetext"
	"bulla/spec"
)

// explainClauses explains a clause of the specification, or all of them.
func (a *app) explainClauses(id string) error {
	if strings.EqualFold(id, "all") {
		for i, id := range spec.Clauses() {
			if i > 0 && !a.json {
				a.printf("\n")
			}
			a.explainClause(id)
		}
		return a.outErr
	}
	id = strings.Trim(strings.ToUpper(id), "[]")
	if _, _, ok := spec.Clause(id); !ok {
		return usage(orElse(didYouMean(id, spec.Clauses()), "a finding names one, as in HEAD-7; --explain all lists them"), "the specification has no clause %s", safetext.Printable(id))
	}
	a.explainClause(id)
	return a.outErr
}

// explainClause says what a clause demands, what it means that one is broken, and
// what to do then.
func (a *app) explainClause(id string) {
	text, kind, _ := spec.Clause(id)
	means, remedy := spec.Meaning(id)
	if a.json {
		a.printJSON(struct {
			Clause  string     `json:"clause"`
			Level   spec.Level `json:"level"`
			Binds   spec.Party `json:"binds"`
			Section string     `json:"section"`
			Text    string     `json:"text"`
			Means   string     `json:"means"`
			Remedy  string     `json:"remedy"`
		}{id, kind.Level, kind.Binds, spec.Section(id), text, means, remedy})
		return
	}
	a.printf("%s (a %s of the %s), section %s\n%s\n", id, kind.Level, kind.Binds, spec.Section(id), text)
	a.printf("If it is broken: %s\nWhat to do: %s\n", means, remedy)
}
