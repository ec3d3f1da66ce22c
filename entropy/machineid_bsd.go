//go:build darwin || freebsd

package entropy

import "syscall"

// machineID is the machine's UUID: kern.uuid on Darwin, kern.hostuuid on
// FreeBSD.
func machineID() string {
	id, err := syscall.Sysctl("kern.uuid")
	if err != nil {
		id, _ = syscall.Sysctl("kern.hostuuid")
	}
	return id
}
