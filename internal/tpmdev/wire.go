package tpmdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-tpm/tpm2"
)

// The header that every response starts with (Part 1, 18, "command/response
// structure"):
//
//	0  2  tag
//	2  4  size of the whole response
//	6  4  response code
const headerSize = 2 + 4 + 4

// maxResponse bounds a response. The kernel's buffer for one (TPM_BUFSIZE) and
// the responses of all TPMs known are no longer.
const maxResponse = 4096

var (
	errNotTPM2   = errors.New("it speaks TPM 1.2")
	errMalformed = errors.New("malformed response")
)

// tagTPM12 starts a TPM 1.2's response (TPM_TAG_RSP_COMMAND).
const tagTPM12 = 0x00C4

// readResponse reads one response from r, which may give it whole, as the
// kernel's device does, or in pieces, as a socket does.
func readResponse(r io.Reader) ([]byte, error) {
	buf := make([]byte, maxResponse)
	n, err := io.ReadAtLeast(r, buf, headerSize)
	if err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	size := binary.BigEndian.Uint32(buf[2:])
	if size < headerSize || size > maxResponse || n > int(size) {
		return nil, fmt.Errorf("%w: size %d, %d bytes read", errMalformed, size, n)
	}
	if _, err := io.ReadFull(r, buf[n:size]); err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	return buf[:size], nil
}

// checkResponse looks at the header of a response and gives its code.
func checkResponse(rsp []byte) (tpm2.TPMRC, error) {
	if len(rsp) < headerSize {
		return 0, fmt.Errorf("%w: %d bytes", errMalformed, len(rsp))
	}
	if size := binary.BigEndian.Uint32(rsp[2:]); int64(size) != int64(len(rsp)) {
		return 0, fmt.Errorf("%w: size %d, but %d bytes", errMalformed, size, len(rsp))
	}
	if binary.BigEndian.Uint16(rsp) == tagTPM12 {
		return 0, errNotTPM2
	}
	return tpm2.TPMRC(binary.BigEndian.Uint32(rsp[6:])), nil
}

// again says whether the code asks for the same command once more: the TPM has
// not executed it (Part 2, 6.6.3).
func again(rc tpm2.TPMRC) bool {
	return rc == tpm2.TPMRCRetry || rc == tpm2.TPMRCYielded || rc == tpm2.TPMRCTesting
}
