package main

import (
	"bulla/internal/console"
	"bulla/internal/storage"
	"bulla/internal/storage/object"
	"bulla/internal/storage/web"
)

// registerStores has names that are URLs lead to their stores.
func (a *app) registerStores() {
	a.remote.Warn = a.warn
	a.files.Stores = map[string]storage.Store{
		"https": web.New(&a.remote),
	}
}

// asked is what a run has asked stores for, in JSON as it stands.
type asked struct {
	Requests int64 `json:"requests"`
	Retries  int64 `json:"retries"`
	Received int64 `json:"bytes_received"`
	Sent     int64 `json:"bytes_sent"`
}

// tellAsked says, with -v or --json, what stores were asked for: requests are what they
// charge for.
func (a *app) tellAsked(s *object.Stats) {
	t := asked{s.Requests.Load(), s.Retries.Load(), s.Received.Load(), s.Sent.Load()}
	switch {
	case t.Requests == 0 || a.quiet:
	case a.json:
		a.con.Line(encodeJSON(struct {
			Storage asked `json:"storage"`
		}{t}))
	default:
		a.note("storage: %s, %s, %s received, %s sent", plural(int(t.Requests), "request"), plural(int(t.Retries), "retry"), console.Bytes(t.Received), console.Bytes(t.Sent))
	}
}
