package parity

// NewMakerDepth is NewMaker with another depth: small windows, for tests of several.
var NewMakerDepth = newMaker
