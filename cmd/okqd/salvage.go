package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/okqd/local"
)

// salvageConfig is where the export goes.
type salvageConfig struct{ out string }

// AddFlags defines --out.
func (c *salvageConfig) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.out, "out", "", "file to write, or an existing directory, which gets a file for each queue (default standard output)")
}

// Validate implements cmdutil.Config.
func (c *salvageConfig) Validate() error { return nil }

func salvageCommand() *cobra.Command {
	var cfg salvageConfig
	return cmdutil.Tool{
		Use: "salvage DIR", Short: "Export the events of a data directory that can be read", Args: cobra.ExactArgs(1), EnvPrefix: "OKQ_",
		Long: `Export all events that can be read of a data directory, damaged or not, that no okqd has open. Nothing in it is changed.

The export is commands of the okq protocol, QLPUSH for each event in the order of its queue, so that it can be pushed to a
running okqd. Leased events come first, delayed ones have what is left of their delay; deliveries begin again. If something
is damaged, events that were acknowledged may be among them.`,
		Example: `  okqd salvage /var/lib/okqd --out events.resp
  redis-cli -p 4777 --pipe < events.resp`,
		Config: &cfg,
		Run: func(cmd *cobra.Command, args []string, _ zerolog.Logger) error {
			return salvage(args[0], cfg.out, os.Stdout, cmd.ErrOrStderr()) // cmd's own output is made safe for terminals
		},
	}.Command()
}

func salvage(dir, out string, stdout *os.File, stderr io.Writer) error {
	if inside(dir, out) {
		return errors.New("--out must not be in the directory that is read")
	}
	if out == "" && terminal(stdout) {
		return errors.New("standard output is a terminal: redirect it, or name a file with --out")
	}
	s, err := local.OpenSalvage(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	defer s.Close()
	if s.Damaged() {
		printParts(stderr, s.Parts)
	}
	now := time.Now()
	info, err := os.Stat(out)
	switch {
	case out == "":
		return export(stdout, stderr, s, s.Queues(), now)
	case err == nil && info.IsDir():
		for _, queue := range s.Queues() {
			if err := exportFile(filepath.Join(out, fileName(queue)), stderr, s, []string{queue}, now); err != nil {
				return err
			}
		}
		return nil
	}
	return exportFile(out, stderr, s, s.Queues(), now)
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// inside tells whether a path is in a directory or is it.
func inside(dir, path string) bool {
	if path == "" {
		return false
	}
	rel, err := filepath.Rel(absolute(dir), absolute(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// absolute is a path without symbolic links, as far as it exists.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(parent, filepath.Base(path))
	}
	return path
}

// fileName is the name of a queue's file. One that would be too long for a file system is a hash.
func fileName(queue string) string {
	const longest = 200
	name := url.PathEscape(queue)
	if len(name) > longest {
		name = fmt.Sprintf("%x", sha256.Sum256([]byte(queue)))
	}
	return name + ".resp"
}

func exportFile(path string, stderr io.Writer, s *local.Salvage, queues []string, now time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if err := export(f, stderr, s, queues, now); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// export writes the commands that push the events of some queues again.
func export(w, stderr io.Writer, s *local.Salvage, queues []string, now time.Time) error {
	b := bufio.NewWriterSize(w, 1<<20)
	for _, queue := range queues {
		read, unreadable, err := s.Events(queue, now, func(ev local.Pushed) error { return writePush(b, ev) })
		if err != nil {
			return err
		}
		fmt.Fprintf(stderr, "queue %q: %d events exported, %d could not be read\n", queue, read, unreadable)
	}
	return b.Flush()
}

func writePush(w *bufio.Writer, ev local.Pushed) (err error) {
	args := [][]byte{[]byte("QLPUSH"), ev.Queue, ev.ID, ev.Contents}
	if ev.Delay >= time.Millisecond {
		args = append(args, []byte("DELAY"), strconv.AppendInt(nil, ev.Delay.Milliseconds(), 10))
	}
	fmt.Fprintf(w, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(w, "$%d\r\n", len(arg))
		w.Write(arg)
		_, err = w.WriteString("\r\n") // tells of all before, too
	}
	return err
}
