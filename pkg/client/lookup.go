package client

import (
	"context"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A Stat is what became of a mail that SendGrid accepted.
type Stat struct {
	Recipient  string `json:"recipient"`
	EmailFlags int64  `json:"emailFlags"`
	StateFlags int64  `json:"stateFlags"` // delivered 2, spam reported 4, bounced 8, dropped 16, opened 32
	UniqueID   string `json:"uniqueID"`
	SentEnv    string `json:"sentEnv"`
	TSCreated  int64  `json:"tsCreated"` // unix seconds
	TSUpdated  int64  `json:"tsUpdated"` // unix seconds
	Error      string `json:"error"`     // why it bounced or was dropped
}

// An Email is where one mail stands.
type Email struct {
	ID       job.ID `json:"id"`
	State    string `json:"state"` // as docs/api.md lists them
	Attempts int    `json:"attempts"`
	Reason   string `json:"reason"`
	Stat     *Stat  `json:"stat"`
}

// GetEmail tells where the mail stands: nil if there is no such mail.
func (c *Client) GetEmail(ctx context.Context, id job.ID) (*Email, error) {
	var result struct {
		Email *Email `json:"email"`
	}
	err := c.call(ctx, "GetEmail", map[string]any{"id": id}, &result)
	return result.Email, err
}

// GetLastEmail returns the latest mail to that recipient with that uniqueID that SendGrid accepted, or nil.
func (c *Client) GetLastEmail(ctx context.Context, to, uniqueID string) (*Stat, error) {
	var result struct {
		Stat *Stat `json:"stat"`
	}
	err := c.call(ctx, "GetLastEmail", map[string]any{"to": to, "uniqueID": uniqueID}, &result)
	return result.Stat, err
}

// GetPrefs returns what the address has opted out of; job.FlagsAllAllowed is nothing.
func (c *Client) GetPrefs(ctx context.Context, email string) (flags int64, err error) {
	var result struct {
		Flags int64 `json:"flags"`
	}
	err = c.call(ctx, "GetPrefs", map[string]any{"email": email}, &result)
	return result.Flags, err
}

// UpdatePrefs opts the address out of mails with any of the flags, and into all others.
func (c *Client) UpdatePrefs(ctx context.Context, email string, flags int64) error {
	return c.call(ctx, "UpdatePrefs", map[string]any{"email": email, "flags": flags}, nil)
}

// MovePrefs gives the new address the opt-outs of the old one, which keeps them.
func (c *Client) MovePrefs(ctx context.Context, oldEmail, newEmail string) error {
	return c.call(ctx, "MovePrefs", map[string]any{"oldEmail": oldEmail, "newEmail": newEmail}, nil)
}
