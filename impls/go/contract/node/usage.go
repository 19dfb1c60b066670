package node

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// usageOfThisProcess reads the kernel's accounts: user and system time of all threads, and the
// largest resident set; zeros where it keeps none.
func usageOfThisProcess() (cpuSeconds float64, peakRSSBytes uint64) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, 0
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	// ru_maxrss outlives exec: a process started by a large one would report its parent's. VmHWM is
	// this program's own.
	status, _ := os.ReadFile("/proc/self/status")
	if peak, ok := highWaterMark(status); ok {
		return cpu.Seconds(), peak
	}
	unit := uint64(1024) // getrusage(2): kilobytes on Linux, bytes on macOS
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return cpu.Seconds(), uint64(usage.Maxrss) * unit
}

// highWaterMark reads the line "VmHWM: 31234 kB" of proc_pid_status(5), in bytes.
func highWaterMark(status []byte) (uint64, bool) {
	for line := range bytes.Lines(status) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == "VmHWM:" {
			kilobytes, err := strconv.ParseUint(string(fields[1]), 10, 64)
			return kilobytes * 1024, err == nil
		}
	}
	return 0, false
}
