package cmdutil

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// secretWords end the names of flags whose values are secrets.
var secretWords = []string{"pass", "password", "secret", "token"}

// isSecret reports whether a flag's value is a secret, or a key that others must sign with. Flags that name a file are
// neither.
func isSecret(name string) bool {
	return name == "sendgrid-key" || name == "webhook-public-key" || slices.Contains(secretWords, name[strings.LastIndexByte(name, '-')+1:])
}

var errEmptySecret = errors.New("the secret is set but empty: give one, or do not set it")

// refuseEmptySecrets makes an empty value of a secret flag an error, from wherever it comes: the flag, its variable or the
// file that its _FILE variable names. A secret that was not filled in must not mean that none is needed.
func refuseEmptySecrets(fs *pflag.FlagSet) {
	fs.VisitAll(func(f *pflag.Flag) {
		if isSecret(f.Name) {
			f.Value = secret{f.Value}
		}
	})
}

type secret struct{ pflag.Value }

func (s secret) Set(text string) error {
	if strings.TrimSpace(text) == "" {
		return errEmptySecret
	}
	return s.Value.Set(text)
}

func (s secret) hasEmpty() bool {
	l, ok := s.Value.(interface{ hasEmpty() bool })
	return ok && l.hasEmpty()
}
