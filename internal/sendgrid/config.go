package sendgrid

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/unsubscribe"
)

// Config is the account to send with.
type Config struct {
	Key    string
	URL    string
	IPPool string // of mails that name none

	Unsubscribe unsubscribe.Config
}

// AddFlags defines --sendgrid-key, --sendgrid-url and --sendgrid-ip-pool, and the flags of unsubscribe links.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Key, "sendgrid-key", "", "SendGrid's API key; better in the environment")
	fs.StringVar(&c.URL, "sendgrid-url", "https://api.sendgrid.com", "SendGrid's API; https://api.eu.sendgrid.com for EU subusers")
	fs.StringVar(&c.IPPool, "sendgrid-ip-pool", "", "IP pool of mails that name none")
	c.Unsubscribe.AddFlags(fs)
}

// Validate names the flags that are wrong, and never shows the key.
func (c *Config) Validate() error {
	return errors.Join(c.validateKey(), c.validateURL(), c.validatePool(), c.Unsubscribe.Validate())
}

func (c *Config) validateKey() error {
	if c.Key == "" {
		return errors.New("--sendgrid-key is required")
	}
	for _, b := range []byte(c.Key) {
		if b <= ' ' || b > '~' {
			return errors.New("--sendgrid-key must be printable ASCII without spaces")
		}
	}
	return nil
}

func (c *Config) validateURL() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return errors.New("--sendgrid-url is not a URL") // without the text: it may hold a password
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("--sendgrid-url must begin with https:// (or http://, to a server of your own)")
	case u.Hostname() == "":
		return errors.New("--sendgrid-url names no host")
	case u.User != nil:
		return errors.New("--sendgrid-url must not hold a user or password")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("--sendgrid-url must not have a query or a fragment")
	}
	return nil
}

func (c *Config) validatePool() error {
	if n := len(c.IPPool); c.IPPool != "" && (n < 2 || n > 64) {
		return fmt.Errorf("--sendgrid-ip-pool must have 2 to 64 characters, not %d", n)
	}
	return nil
}

// base is the URL that /v3/mail/send is appended to. One that ends in a part of that is understood.
func (c *Config) base() string {
	base := strings.TrimRight(c.URL, "/")
	for _, end := range []string{"/v3/mail/send", "/v3/mail", "/v3"} {
		if cut, ok := strings.CutSuffix(base, end); ok {
			return strings.TrimRight(cut, "/")
		}
	}
	return base
}
