package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// A disk is a small file system of its own, which can be filled to the last byte. It takes root and a loop device.
type disk struct{ path string }

const diskSize = 512 << 20 // bytes

// newDisk is nil, and says why, where none can be made: then path is a plain folder.
func newDisk(path string) (*disk, error) {
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	image := path + ".img"
	f, err := os.Create(image)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(diskSize); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, path}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", args[0], err, out)
		}
	}
	return &disk{path}, nil
}

func (d *disk) filler() string { return filepath.Join(d.path, "filler") }

// fill takes all that is free.
func (d *disk) fill() error {
	f, err := os.Create(d.filler())
	if err != nil {
		return err
	}
	defer f.Close()
	for end, step := int64(0), int64(16<<20); step >= 4096; {
		err := syscall.Fallocate(int(f.Fd()), 0, end, step)
		switch {
		case errors.Is(err, syscall.ENOSPC):
			step /= 2
		case err != nil:
			return err
		default:
			end += step
		}
	}
	return nil
}

func (d *disk) empty() error { return os.Remove(d.filler()) }

func (d *disk) close() error { return syscall.Unmount(d.path, syscall.MNT_DETACH) }
