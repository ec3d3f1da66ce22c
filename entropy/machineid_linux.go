package entropy

import "os"

// machineID is the installation's id and the boot's: two clones of one image
// share the first and, started apart, differ in the second.
func machineID() string {
	installation, _ := os.ReadFile("/etc/machine-id") // machine-id(5)
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(installation) + "\n" + string(boot)
}
