package entropy

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bulla/internal/storage"
)

// The pin file keeps the Name of the TPM's storage root key from one run to the
// next: lines of comment and one of hexadecimal digits, mode 0600.
const pinComment = "# The name of the storage root key of this machine's TPM, as first seen.\n" +
	"# Random bytes are taken from no other TPM until this file is removed.\n"

const maxPinFile = 4096 // bytes read of it

// PinnedTPM returns the Name of the storage root key of the TPM that is pinned in a
// file, see [Options]; nil if there is no such file.
func PinnedTPM(path string) ([]byte, error) {
	name, err := readPin(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return name, err
}

func readPin(path string) ([]byte, error) {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() { // a named pipe would be waited for
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxPinFile))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, err := hex.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("%s does not hold a name: %w", path, err)
		}
		return name, nil
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s does not hold a name", path)
}

// writePin writes the file whole or not at all. Of two processes that do so at
// once one writes it; both have the same name, unless one of them was deceived,
// and then the next run notices.
func writePin(path string, name []byte) error {
	if err := storage.MakeDirs(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	p, err := new(storage.Run).Create(path, storage.Options{Mode: 0o600})
	if err == nil {
		defer p.Abort()
		if _, err = fmt.Fprintf(p, "%s%x\n", pinComment, name); err == nil {
			err = p.Commit()
		}
	}
	if errors.Is(err, storage.InUse) || errors.Is(err, storage.Exists) {
		return nil
	}
	return err
}
