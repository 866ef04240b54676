package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/levenlabs/postmaster/internal/cmdutil"
)

// target is what the flags and the URLs among them say together.
type target struct {
	addrs              []string
	username, password string
	db                 int
	tls                *tls.Config // nil: plain TCP
}

// target reads the flags. IMPORTANT: a URL may have a password in it, so no error repeats one.
func (c *Config) target() (target, error) {
	t := target{username: c.Username, password: c.Password, db: c.DB}
	list, secure := c.Addr, c.TLS || c.TLSCA != "" || c.TLSCert != "" || c.TLSKey != ""
	if c.SentinelAddr != "" {
		list = c.SentinelAddr
	}
	form := urlForm
	if c.SentinelAddr != "" {
		form = "must be host:port, or several with commas between"
	}
	for _, addr := range cmdutil.SplitList(list) {
		if c.SentinelAddr == "" && strings.Contains(addr, "://") {
			overTLS, err := t.addURL(addr)
			if err != nil {
				return t, fmt.Errorf("%s: %w", c.addrFlag(), err)
			}
			secure = secure || overTLS
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil || strings.Contains(addr, "@") {
			return t, fmt.Errorf("%s: %s", c.addrFlag(), form)
		}
		t.addrs = append(t.addrs, addr)
	}
	if t.username != "" && t.password == "" {
		return t, errors.New("--redis-username needs --redis-password")
	}
	if c.Cluster && t.db != 0 {
		return t, errors.New("--redis-db: a Redis Cluster has database 0 only")
	}
	if !secure {
		return t, nil
	}
	var err error
	t.tls, err = cmdutil.ClientTLS("--redis-tls", c.TLSCA, c.TLSCert, c.TLSKey)
	return t, err
}

const urlForm = "must be host:port or redis://USER:PASSWORD@HOST:PORT/DB, or rediss://… for TLS; what is special in a URL is written as %XX"

// addURL adds an address, and what else its URL says.
func (t *target) addURL(text string) (overTLS bool, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "redis" && u.Scheme != "rediss" {
		return false, errors.New(urlForm)
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	t.addrs = append(t.addrs, net.JoinHostPort(u.Hostname(), port))
	password, _ := u.User.Password()
	if err := errors.Join(agree("--redis-username", &t.username, u.User.Username()), agree("--redis-password", &t.password, password)); err != nil {
		return false, err
	}
	if name := strings.Trim(u.Path, "/"); name != "" {
		db, err := strconv.Atoi(name)
		if err != nil || db < 0 {
			return false, errors.New(urlForm)
		}
		if t.db != 0 && t.db != db {
			return false, errors.New("--redis-db, or another URL, names another database")
		}
		t.db = db
	}
	return u.Scheme == "rediss", nil
}

// agree sets have to what a URL says, unless something else was said before.
func agree(flag string, have *string, said string) error {
	if said != "" && *have != "" && *have != said {
		return fmt.Errorf("%s, or another URL, says otherwise than the URL", flag)
	}
	if said != "" {
		*have = said
	}
	return nil
}
