//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// slowed is where the kernel takes how many bytes a second a device writes at most, everybody's and
// those that the kernel writes later among them (cgroup v1, blkio-controller.rst).
const slowed = "/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device"

// slow makes the disk of dir write at most rate bytes a second, until undo is called or the
// program is interrupted. That takes root.
func slow(dir string, rate int64) (undo func(), err error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, err
	}
	device := fmt.Sprintf("%d:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))
	link, err := filepath.EvalSymlinks("/sys/dev/block/" + device)
	if err == nil {
		if _, perr := os.Stat(filepath.Join(link, "partition")); perr == nil { // only a whole disk can be slowed
			var whole []byte
			whole, err = os.ReadFile(filepath.Join(link, "..", "dev"))
			device = strings.TrimSpace(string(whole))
		}
	}
	if err == nil {
		err = setRate(device, rate)
	}
	if err != nil {
		return nil, fmt.Errorf("its disk cannot be slowed down, which takes root and the blkio controller of cgroup v1 (%w)", err)
	}
	interrupted, over := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-over:
		case <-interrupted:
			setRate(device, 0)
			os.Exit(1)
		}
	}()
	return func() {
		signal.Stop(interrupted)
		close(over)
		setRate(device, 0)
	}, nil
}

// setRate sets the most that a device writes, in bytes a second; 0 for no limit.
func setRate(device string, rate int64) error {
	f, err := os.OpenFile(slowed, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, device, rate)
	return errors.Join(err, f.Close())
}
