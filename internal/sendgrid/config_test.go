package sendgrid

import (
	"strings"
	"testing"
)

func TestConfigFaultsNameTheirFlag(t *testing.T) {
	t.Parallel()
	good := Config{Key: "SG.secret", URL: "https://api.sendgrid.com"}
	if err := good.Validate(); err != nil {
		t.Errorf("good: %v", err)
	}
	rows := map[string]struct {
		change func(*Config)
		flag   string
	}{
		"no key":           {func(c *Config) { c.Key = "" }, "--sendgrid-key"},
		"key with a break": {func(c *Config) { c.Key = "SG.secret\n" }, "--sendgrid-key"},
		"key beyond ASCII": {func(c *Config) { c.Key = "SG.secreté" }, "--sendgrid-key"},
		"no URL":           {func(c *Config) { c.URL = "" }, "--sendgrid-url"},
		"no scheme":        {func(c *Config) { c.URL = "api.sendgrid.com" }, "--sendgrid-url"},
		"no host":          {func(c *Config) { c.URL = "https:///v3" }, "--sendgrid-url"},
		"other scheme":     {func(c *Config) { c.URL = "ftp://api.sendgrid.com" }, "--sendgrid-url"},
		"password":         {func(c *Config) { c.URL = "https://u:secret@api.sendgrid.com" }, "--sendgrid-url"},
		"query":            {func(c *Config) { c.URL = "https://api.sendgrid.com?a=secret" }, "--sendgrid-url"},
		"no URL at all":    {func(c *Config) { c.URL = "http://a b\x7f" }, "--sendgrid-url"},
		"short pool":       {func(c *Config) { c.IPPool = "a" }, "--sendgrid-ip-pool"},
		"long pool":        {func(c *Config) { c.IPPool = strings.Repeat("a", 65) }, "--sendgrid-ip-pool"},
	}
	for name, row := range rows {
		c := good
		row.change(&c)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), row.flag) {
			t.Errorf("%s: %v, want an error that names %s", name, err, row.flag)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v shows a secret", name, err)
		}
	}
}

func TestURLMayEndInSendGridsOwnPath(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"https://api.sendgrid.com":               "https://api.sendgrid.com",
		"https://api.sendgrid.com/":              "https://api.sendgrid.com",
		"https://api.sendgrid.com/v3":            "https://api.sendgrid.com",
		"https://api.sendgrid.com/v3/":           "https://api.sendgrid.com",
		"https://api.sendgrid.com/v3/mail/send/": "https://api.sendgrid.com",
		"http://proxy.example/sendgrid/v3":       "http://proxy.example/sendgrid",
		"http://proxy.example/sendgrid":          "http://proxy.example/sendgrid",
	} {
		if c := (Config{URL: given}); c.base() != want {
			t.Errorf("%s: base %s, want %s", given, c.base(), want)
		}
	}
}
