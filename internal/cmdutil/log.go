package cmdutil

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/terminal"
)

// LogConfig is how much is logged, and for whom.
type LogConfig struct {
	Level  string
	Format string
}

// AddFlags defines --log-level and --log-format. What c holds is their default.
func (c *LogConfig) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Level, "log-level", cmp.Or(c.Level, "info"), "debug, info, warn or error")
	fs.StringVar(&c.Format, "log-format", c.Format, "json, or console for people (default console on a terminal, else json)")
}

// Validate names the flag that is wrong.
func (c *LogConfig) Validate() error {
	switch c.Level {
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("--log-level must be debug, info, warn or error, not %q", c.Level)
	}
	if c.Format != "" && c.Format != "json" && c.Format != "console" {
		return fmt.Errorf("--log-format must be json or console, not %q", c.Format)
	}
	return nil
}

// NewLogger returns the process's logger. docs/logs.md lists the field names in use.
func NewLogger(w io.Writer, service string, c LogConfig) zerolog.Logger {
	people := terminal.Is(w)
	if c.Format == "console" || c.Format == "" && people {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !people}
	}
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(level).With().Timestamp().Str("service", service).Logger()
}
