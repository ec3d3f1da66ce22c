package tpmdev

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// errAddress is wrapped by errors about a path that cannot be a TPM's.
var errAddress = errors.New("not a TPM's address")

// maxSocketPath is what fits into a sockaddr_un, less the final zero. The
// kernel says no more than "invalid argument" to a longer one.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// socket is an emulator behind a Unix socket. It connects for each command, so
// that an emulator which serves one client at a time serves others in between.
type socket struct {
	path string

	mu     sync.Mutex
	conn   net.Conn // of the command under way
	closed bool
}

func openSocket(path string) (conn, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("%w: a socket's path is at most %d bytes here, this one has %d", errAddress, maxSocketPath, len(path))
	}
	return &socket{path: path}, nil
}

func (s *socket) exchange(cmd []byte) ([]byte, error) {
	c, err := net.Dial("unix", s.path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := s.begin(c); err != nil {
		return nil, err
	}
	if _, err := c.Write(cmd); err != nil {
		return nil, err
	}
	return readResponse(c)
}

// begin makes c the connection that Close closes.
func (s *socket) begin(c net.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.conn = c
	return nil
}

// Close ends the command under way, if there is one, and refuses others.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn != nil {
		s.conn.Close()
	}
	return nil
}

func (s *socket) managed() bool { return false }
