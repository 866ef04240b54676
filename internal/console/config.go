package console

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/listen"
)

// DefaultAddr is where a console listens that is not told otherwise.
const DefaultAddr = "127.0.0.1:8995"

// minPassword is how many bytes a password has at least. Logins are slowed down, so that this cannot be guessed.
const minPassword = 12

// Config is the flags of the console.
type Config struct {
	Addr                 string
	PasswordFile         string
	ReadOnlyPasswordFile string
	UsersFile            string
	FlagNames            map[string]string // by bit
	TrustedProxies       []string
	UserHeader           string
	Operators            []string
}

// AddFlags defines the flags.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Addr, "console-addr", DefaultAddr, "address of the console; other machines may reach it only with --console-users-file, --console-password-file or --console-trusted-proxies")
	fs.StringVar(&c.UsersFile, "console-users-file", "", "file of users, a line each: NAME:ROLE:HASH, as postmaster console passwd writes it; read again when it changes")
	fs.StringVar(&c.PasswordFile, "console-password-file", "", "file with the console's password, 12 bytes or more; without it there is no login")
	fs.StringVar(&c.ReadOnlyPasswordFile, "console-read-only-password-file", "", "file with another password, for users who may look and change nothing")
	cmdutil.ListVar(fs, &c.TrustedProxies, "console-trusted-proxies", nil, "addresses or networks of a proxy that logs users in and names them in --console-user-header")
	fs.StringVar(&c.UserHeader, "console-user-header", "X-Forwarded-User", "header in which that proxy names the user")
	cmdutil.ListVar(fs, &c.Operators, "console-operators", nil, "users of that proxy who may change things; * for all; others look")
	fs.StringToStringVar(&c.FlagNames, "flag-names", nil, "what the bits of mails' flags mean, for people: 2=news,4=digest")
}

// Validate names the flags that are wrong.
func (c *Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		errs = append(errs, fmt.Errorf("--console-addr: %w", err))
	}
	if _, err := parseNetworks(c.TrustedProxies); err != nil {
		errs = append(errs, err)
	}
	if len(c.TrustedProxies) > 0 && c.UserHeader == "" {
		errs = append(errs, errors.New("--console-user-header must not be empty with --console-trusted-proxies"))
	}
	if len(c.Operators) > 0 && len(c.TrustedProxies) == 0 {
		errs = append(errs, errors.New("--console-operators needs --console-trusted-proxies"))
	}
	if c.ReadOnlyPasswordFile != "" && c.PasswordFile == "" {
		errs = append(errs, errors.New("--console-read-only-password-file needs --console-password-file"))
	}
	if c.UsersFile != "" && c.PasswordFile != "" {
		errs = append(errs, errors.New("--console-users-file and --console-password-file exclude each other"))
	}
	if _, err := c.kinds(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Listeners says that users must log in, here or at a proxy.
func (c *Config) Listeners() []listen.Listener {
	return []listen.Listener{{
		Flag: "--console-addr", Addr: c.Addr, Protected: c.UsersFile != "" || c.PasswordFile != "" || len(c.TrustedProxies) > 0,
		Needs: "--console-users-file, --console-password-file or --console-trusted-proxies",
	}}
}

// passwords reads the files: what each role logs in with.
func (c *Config) passwords() (map[role]string, error) {
	passwords := map[role]string{}
	for _, f := range []struct {
		role       role
		flag, path string
	}{
		{operator, "--console-password-file", c.PasswordFile},
		{reader, "--console-read-only-password-file", c.ReadOnlyPasswordFile},
	} {
		if f.path == "" {
			continue
		}
		b, err := os.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.flag, err)
		}
		password := strings.TrimRight(string(b), "\r\n")
		if len(password) < minPassword {
			return nil, fmt.Errorf("%s: %s must hold a password of at least %d bytes", f.flag, f.path, minPassword)
		}
		passwords[f.role] = password
	}
	if p, ok := passwords[reader]; ok && p == passwords[operator] {
		return nil, errors.New("--console-read-only-password-file: the password is that of --console-password-file")
	}
	return passwords, nil
}
