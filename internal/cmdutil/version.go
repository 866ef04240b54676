package cmdutil

import "runtime/debug"

// Version returns what the linker stamped, else what `go install module@version` recorded, else "dev".
func Version(stamped string) string {
	if stamped != "" {
		return stamped
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
