// Package demo runs all of postmaster in one process with the sandbox in SendGrid's place, for a newcomer to look at,
// and plays the main job as a story that must be true.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/console"
	"github.com/levenlabs/postmaster/internal/listen"
	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/serve"
	"github.com/levenlabs/postmaster/pkg/client"
)

// Config is the flags of postmaster demo.
type Config struct {
	Once        bool
	DataDir     string
	APIAddr     string
	HooksAddr   string
	InboxAddr   string
	ConsoleAddr string
	OkqdAddr    string
}

// AddFlags defines the flags.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&c.Once, "once", false, "play the story and exit 0 only if each step was true; on free ports unless told")
	fs.StringVar(&c.DataDir, "data-dir", "", "folder for the queue and the store (default: a temporary one)")
	for _, l := range c.listeners() {
		fs.StringVar(l.addr, l.flag, "", "address of "+l.what+" (default "+l.usual+")")
	}
}

type listener struct {
	addr              *string
	flag, what, usual string
}

func (c *Config) listeners() []listener {
	return []listener{
		{&c.APIAddr, "listen-addr", "the JSON-RPC API", "127.0.0.1:8992"},
		{&c.HooksAddr, "webhook-addr", "the webhook", "127.0.0.1:8993"},
		{&c.InboxAddr, "inbox-addr", "the fake SendGrid and its inbox page", sandbox.DefaultListenAddr},
		{&c.ConsoleAddr, "console-addr", "the console", console.DefaultAddr},
		{&c.OkqdAddr, "okqd-listen-addr", "the queue", "127.0.0.1:4777"},
	}
}

// setAddrs gives the listeners that have no address the usual one, or any free one if the demo is not there to stay.
func (c *Config) setAddrs() {
	for _, l := range c.listeners() {
		switch {
		case *l.addr == "" && c.Once:
			*l.addr = "127.0.0.1:0"
		case *l.addr == "":
			*l.addr = l.usual
		}
	}
}

// Validate leaves most addresses to those who listen.
func (c *Config) Validate() error {
	if c.ConsoleAddr == "" {
		return nil // the usual one
	}
	return (&console.Config{Addr: c.ConsoleAddr}).Validate()
}

// Listeners says that nothing of the demo needs a credential. Its inbox is the fake SendGrid's.
func (c *Config) Listeners() []listen.Listener {
	var all []listen.Listener
	for _, l := range c.listeners() {
		if l.addr != &c.InboxAddr {
			all = append(all, listen.Listener{Flag: "--" + l.flag, Addr: *l.addr})
		}
	}
	return all
}

// Tolerate has a demo in a container listen for other machines: its ports are reached only if they are published.
func Tolerate(*pflag.FlagSet) (zerolog.Level, bool) {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} { // Docker's and Podman's
		if _, err := os.Stat(mark); err == nil {
			return zerolog.WarnLevel, true
		}
	}
	_, kubernetes := os.LookupEnv("KUBERNETES_SERVICE_HOST")
	return zerolog.WarnLevel, kubernetes
}

// Run runs the demo and tells on out what there is to see.
func Run(ctx context.Context, cfg Config, env cmdutil.Env, out io.Writer) error {
	cfg.setAddrs()
	if cfg.DataDir == "" {
		dir, err := os.MkdirTemp("", "postmaster-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		cfg.DataDir = dir
	}
	sendgrid, err := sandbox.New(sandbox.Config{ListenAddr: cfg.InboxAddr, Delays: sandbox.DefaultDelays()}, env.Log)
	if err != nil {
		return err
	}
	if err := sendgrid.Listen(); err != nil {
		return fmt.Errorf("--inbox-addr: %w", err)
	}
	system, err := serve.New(ctx, serveConfig(cfg, sendgrid), env)
	if err != nil {
		return err
	}
	if err := sendgrid.SetWebhookURL("http://" + system.Hooks.Addr().String() + "/"); err != nil {
		return err
	}
	return run(ctx, cfg, system, sendgrid, out)
}

// errPlayed ends the demo after its story.
var errPlayed = errors.New("story played")

func run(ctx context.Context, cfg Config, system *serve.System, sendgrid *sandbox.Sandbox, out io.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return sendgrid.Run(ctx) })
	g.Go(func() error { return system.Run(ctx) })
	api := "http://" + system.API.Addr().String() + "/"
	if !cfg.Once {
		welcome(out, api, sendgrid.URL(), system.Console.URL())
		return g.Wait()
	}
	g.Go(func() error {
		story := Story{API: client.New(api), SendGrid: sendgrid, Out: out, Patience: 30 * time.Second}
		if err := story.Play(ctx); err != nil {
			return fmt.Errorf("not true: %w", err)
		}
		return errPlayed
	})
	if err := g.Wait(); !errors.Is(err, errPlayed) {
		return err
	}
	return nil
}

// environment is the name that the demo's emails carry, so that no real pm-hooks takes their events.
const environment = "demo"

// serveConfig is what the flags of postmaster serve would be.
func serveConfig(cfg Config, sendgrid *sandbox.Sandbox) serve.Config {
	var c serve.Config
	c.AddFlags(pflag.NewFlagSet("", pflag.ContinueOnError)) // sets the defaults
	c.Unannounced = cfg.Once                                // it is gone in seconds, and another demo may run
	c.DataDir, c.OkqdAddr, c.Console.Addr = cfg.DataDir, cfg.OkqdAddr, cfg.ConsoleAddr
	c.API.ListenAddr, c.Hooks.Addr = cfg.APIAddr, cfg.HooksAddr
	c.Worker.Environment, c.API.Environment, c.Hooks.Environment = environment, environment, environment
	c.Hooks.PublicKeys, c.Hooks.AcceptEnv = []string{sendgrid.PublicKey()}, []string{environment}
	c.Console.FlagNames = map[string]string{"2": "news", "4": "digest"} // so that there is something to opt out of
	c.SendGrid.Key, c.SendGrid.URL = "SG.demo", sendgrid.URL()
	return c
}

func welcome(out io.Writer, api, inbox, console string) {
	fmt.Fprintf(out, `postmaster is up, with a fake SendGrid: nothing leaves this machine.

  inbox     %s
  console   %s
  JSON-RPC  %s

Send a mail, and watch it arrive in the inbox:

  curl -s %s -H 'Content-Type: application/json' -d '{
    "jsonrpc": "2.0", "id": 1, "method": "Postmaster.Enqueue",
    "params": {"to": "alex@example.com", "from": "shop@example.org", "subject": "Hello", "text": "It works.", "uniqueID": "hello-1", "flags": 2}}'

What became of it:

  curl -s %s -H 'Content-Type: application/json' -d '{
    "jsonrpc": "2.0", "id": 2, "method": "Postmaster.GetLastEmail",
    "params": {"to": "alex@example.com", "uniqueID": "hello-1"}}'

Recipients such as bounce@example.com and spam@example.com do what they say. Ctrl-C ends the demo.
`, inbox, console, api, api, api)
}
