package unsubscribe

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
)

// Config is where the links lead, and what they are sealed with. Both empty: mails carry no links.
type Config struct {
	URL     string
	Secrets []string
}

// minSecret is the least length of a secret: what 128 random bits have in base64.
const minSecret = 22

// AddFlags defines --unsubscribe-url and --unsubscribe-secret.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.URL, "unsubscribe-url", "", "https URL of one-click unsubscribe, which pm-hooks answers at its path; empty for none")
	cmdutil.SecretListVar(fs, &c.Secrets, "unsubscribe-secret", "secret that seals unsubscribe links; repeat it while secrets change: the first seals, all open")
}

// Validate names the flags that are wrong.
func (c *Config) Validate() error {
	if c.URL == "" && len(c.Secrets) == 0 {
		return nil
	}
	var errs []error
	if _, err := c.parse(); err != nil {
		errs = append(errs, fmt.Errorf("--unsubscribe-url: %w", err))
	}
	if len(c.Secrets) == 0 {
		errs = append(errs, errors.New("--unsubscribe-secret is needed by --unsubscribe-url"))
	}
	for _, s := range c.Secrets {
		if len(s) < minSecret {
			errs = append(errs, fmt.Errorf("--unsubscribe-secret must have %d bytes or more, such as `openssl rand -base64 32` prints", minSecret))
			break
		}
	}
	return errors.Join(errs...)
}

func (c *Config) parse() (*url.URL, error) {
	if c.URL == "" {
		return nil, errors.New("is needed by --unsubscribe-secret")
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return nil, errors.New("must begin with https://, as RFC 8058 says")
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("must be a host and a path, and nothing else")
	case u.Path == "" || u.Path == "/" || path.Clean(u.Path) != u.Path:
		return nil, errors.New("needs a path of its own, such as /unsubscribe")
	}
	return u, nil
}

// loopback tells whether a host is this machine, where demonstrations do without a certificate.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
