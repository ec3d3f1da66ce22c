package stream

// Secrets is what a grant has so far, in its own memory.
func (g *Grant) Secrets() []byte { return g.plain }
