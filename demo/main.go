// Demo is bulla in one command, on a machine that has nothing but Go:
//
//	go run ./demo
//
// It builds the command, makes a key, packs Go's own source tree into a tar,
// encrypts it, verifies and decrypts the container and compares the result.
package main

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("demo: ")
	dir, err := os.MkdirTemp("", "bulla-demo-")
	if err != nil {
		log.Fatal(err)
	}
	err = demo(dir)
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal(err)
	}
}

func demo(dir string) error {
	exe := filepath.Join(dir, "bulla")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	if err := run(dir, "go", "build", "-o", exe, "bulla/cmd/bulla"); err != nil {
		return err
	}
	if err := run(dir, exe, "keygen", "-o", "key.txt"); err != nil {
		return err
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	src := filepath.Join(strings.TrimSpace(string(goroot)), "src")
	fmt.Printf("\n# packing %s into src.tar\n", src)
	if err := pack(filepath.Join(dir, "src.tar"), src); err != nil {
		return err
	}
	key, err := exec.Command(exe, "keygen", "-y", filepath.Join(dir, "key.txt")).Output()
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"encrypt", "-r", strings.TrimSpace(string(key)), "src.tar"},
		{"inspect", "src.tar.bulla"},
		{"verify", "-i", "key.txt", "src.tar.bulla"},
		{"decrypt", "-i", "key.txt", "-o", "again.tar", "src.tar.bulla"},
	} {
		if err := run(dir, exe, args...); err != nil {
			return err
		}
	}
	a, err := hash(filepath.Join(dir, "src.tar"))
	if err != nil {
		return err
	}
	b, err := hash(filepath.Join(dir, "again.tar"))
	if err != nil {
		return err
	}
	if a != b {
		return fmt.Errorf("src.tar and again.tar differ")
	}
	fmt.Printf("\nsrc.tar and again.tar are the same: SHA-256 %x\n", a)
	return nil
}

// run shows a command and runs it in dir.
func run(dir, name string, args ...string) error {
	shown := []string{strings.TrimSuffix(filepath.Base(name), ".exe")}
	for _, a := range args {
		if len(a) > 60 {
			a = a[:24] + "…"
		}
		shown = append(shown, a)
	}
	fmt.Printf("\n$ %s\n", strings.Join(shown, " "))
	cmd := exec.Command(name, args...)
	if name != "go" { // go needs the module's folder
		cmd.Dir = dir
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", shown[0], err)
	}
	fmt.Printf("(%v)\n", time.Since(start).Round(time.Millisecond))
	return nil
}

// pack writes the tree under root to a tar file.
func pack(name, root string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	w := tar.NewWriter(f)
	if err := w.AddFS(os.DirFS(root)); err != nil {
		return err
	}
	return w.Close()
}

func hash(name string) ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	f, err := os.Open(name)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}
