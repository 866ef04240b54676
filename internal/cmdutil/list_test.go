package cmdutil

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestListFlagsTrimSpacesRoundCommas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"a", "b"}},
		{[]string{"--list", "x, y"}, []string{"x", "y"}},
		{[]string{"--list", " x ,y ", "--list= z"}, []string{"x", "y", "z"}},
	} {
		var got []string
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		ListVar(fs, &got, "list", []string{"a", "b"}, "")
		if err := fs.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		if err := BindEnv("CMDUTIL_TEST_", fs); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v", c.args, got, err)
		}
	}
}

func TestListFlagsTrimSpacesFromTheEnvironment(t *testing.T) {
	t.Setenv("CMDUTIL_TEST_LIST", "x, y")
	var got []string
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	ListVar(fs, &got, "list", []string{"a", "b"}, "")
	if err := BindEnv("CMDUTIL_TEST_", fs); err != nil || !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestListFlagWithAnEmptyValueIsRefusedWithoutShowingTheOthers(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", " ", "tokA,", "tokA, ,tokB"} {
		var tokens, twin []string
		part := func(p *[]string) Config { return listConfig{p} }
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		Union{part(&tokens), part(&twin)}.AddFlags(fs)
		if err := fs.Parse([]string{"--token", value}); err != nil {
			t.Fatal(err)
		}
		err := BindEnv("CMDUTIL_TEST_", fs)
		if err == nil || !strings.Contains(err.Error(), "--token") || strings.Contains(err.Error(), "tokA") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestHelpShowsNoSecretOfAList(t *testing.T) {
	t.Parallel()
	var tokens []string
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	SecretListVar(fs, &tokens, "token", "")
	if err := fs.Parse([]string{"--token", "tokA,tokB"}); err != nil {
		t.Fatal(err)
	}
	if shown := fs.Lookup("token").Value.String(); shown != "" {
		t.Errorf("shows %q", shown)
	}
}

type listConfig struct{ values *[]string }

func (c listConfig) AddFlags(fs *pflag.FlagSet) { SecretListVar(fs, c.values, "token", "") }
func (listConfig) Validate() error              { return nil }
