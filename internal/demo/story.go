package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/pkg/client"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A Story is the main job, played once against a running system: sent, delivered, opened, opted out, bounced.
type Story struct {
	API      *client.Client
	SendGrid *sandbox.Sandbox
	Out      io.Writer
	Patience time.Duration // for each step
}

// flagNews is the kind of mail that the story's recipients can opt out of.
const flagNews = 4

// Play prints each step as it happens and returns the first that was not true. Its recipients and keys are new each
// time, so that it can be played again on the same data.
func (s *Story) Play(ctx context.Context) error {
	run := job.NewID()
	for _, step := range []func(context.Context, job.ID) error{s.delivered, s.optedOut, s.bounced} {
		if err := step(ctx, run); err != nil {
			return err
		}
	}
	s.say("All of it was true.")
	return nil
}

func (s *Story) delivered(ctx context.Context, run job.ID) error {
	mail := s.mail(fmt.Sprintf("alex+%s@example.com", run), run)
	id, err := s.enqueue(ctx, mail)
	if err != nil {
		return err
	}
	messageID, err := s.accepted(ctx, id)
	if err != nil {
		return err
	}
	s.say("accepted by SendGrid as %s", messageID)
	stat, err := s.stat(ctx, mail, stats.FlagDelivered|stats.FlagOpened)
	if err != nil {
		return err
	}
	s.say("delivered and opened: GetLastEmail says stateFlags %d", stat.StateFlags)
	return nil
}

func (s *Story) optedOut(ctx context.Context, run job.ID) error {
	mail := s.mail(fmt.Sprintf("robin+%s@example.com", run), run)
	if err := s.API.UpdatePrefs(ctx, mail.To, flagNews); err != nil {
		return err
	}
	s.say("%s opts out of mail with flag %d", mail.To, flagNews)
	id, err := s.enqueue(ctx, mail)
	if err != nil {
		return err
	}
	if err := s.until(ctx, "the mail is dropped", func() (bool, error) {
		e, err := s.API.GetEmail(ctx, id)
		return e != nil && e.State == string(stats.OptedOut), err
	}); err != nil {
		return err
	}
	if n := s.SendGrid.Accepted(string(id)); n != 0 {
		return fmt.Errorf("a recipient who opted out was sent to %d times", n)
	}
	s.say("not sent: the recipient opted out")
	if err := s.API.UpdatePrefs(ctx, mail.To, job.FlagsAllAllowed); err != nil {
		return err
	}
	s.say("%s opts into everything again", mail.To)
	if id, err = s.enqueue(ctx, mail); err != nil {
		return err
	}
	if _, err = s.accepted(ctx, id); err != nil {
		return err
	}
	s.say("sent this time")
	return nil
}

func (s *Story) bounced(ctx context.Context, run job.ID) error {
	mail := s.mail(fmt.Sprintf("bounce+%s@example.com", run), run)
	if _, err := s.enqueue(ctx, mail); err != nil {
		return err
	}
	stat, err := s.stat(ctx, mail, stats.FlagBounced)
	if err != nil {
		return err
	}
	if stat.Error == "" {
		return fmt.Errorf("the bounce has no reason")
	}
	s.say("bounced: stateFlags %d, error %q", stat.StateFlags, stat.Error)
	return nil
}

func (s *Story) mail(to string, run job.ID) *job.Email {
	return &job.Email{
		To: to, From: "shop@example.org", FromName: "The Shop", Subject: "Your order is on its way",
		Text: "It left the house today.", HTML: "<p>It left the house <b>today</b>.</p>",
		Flags: flagNews, UniqueID: "order-" + string(run),
	}
}

func (s *Story) enqueue(ctx context.Context, mail *job.Email) (job.ID, error) {
	id, err := s.API.Enqueue(ctx, mail)
	if err != nil {
		return "", err
	}
	s.say("enqueued %s to %s", id, mail.To)
	return id, nil
}

// accepted waits until SendGrid has the mail, exactly once, and returns SendGrid's name for it.
func (s *Story) accepted(ctx context.Context, id job.ID) (messageID string, err error) {
	err = s.until(ctx, "SendGrid accepts the mail", func() (bool, error) {
		for _, mail := range s.SendGrid.Find(sandbox.Filter{StatsID: string(id)}) {
			messageID = mail.ID
		}
		return messageID != "", nil
	})
	if n := s.SendGrid.Accepted(string(id)); err == nil && n != 1 {
		err = fmt.Errorf("SendGrid accepted the mail %d times", n)
	}
	return messageID, err
}

// stat waits until the recipient's last mail has exactly these state flags.
func (s *Story) stat(ctx context.Context, mail *job.Email, flags int64) (*client.Stat, error) {
	var stat *client.Stat
	err := s.until(ctx, fmt.Sprintf("stateFlags become %d", flags), func() (ok bool, err error) {
		stat, err = s.API.GetLastEmail(ctx, mail.To, mail.UniqueID)
		return stat != nil && stat.StateFlags == flags, err
	})
	return stat, err
}

// until polls, for as long as the story's patience lasts.
func (s *Story) until(ctx context.Context, what string, true func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := true()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v in vain until %s", s.Patience, what)
		case <-tick.C:
		}
	}
}

func (s *Story) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }
