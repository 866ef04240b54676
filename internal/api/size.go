package api

import (
	"errors"
	"strconv"
	"strings"
)

// Size is a number of bytes that a flag gives plainly, or with a unit: 33554432, 32MiB, 30MB.
type Size int64

var units = [...]struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

// Set implements pflag.Value.
func (s *Size) Set(text string) error {
	number, unit := strings.TrimSpace(text), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return errors.New("must be a number of bytes, such as 33554432 or 32MiB")
	}
	*s = Size(n * unit)
	return nil
}

// Type implements pflag.Value.
func (s *Size) Type() string { return "size" }

func (s *Size) String() string {
	for _, u := range [...]int{2, 1, 0} { // the binary units, the largest first
		if n := int64(*s); n > 0 && n%units[u].bytes == 0 {
			return strconv.FormatInt(n/units[u].bytes, 10) + units[u].suffix
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}
