package job

import "unicode/utf8"

// Validate checks every limit of postmaster's and of SendGrid's that can be checked without asking anyone, so that
// what is queued can be sent. The error is a *FieldError; of several faults, the first in the order of the fields
// of Email. It is written by hand because half of the rules are about several fields at once, and the others are
// shorter than the tags of a validation library.
//
// A SendBefore that has passed is no fault: that mail is taken, and dropped, as one that expires a moment later.
func (e *Email) Validate() error {
	if err := e.Sendable(); err != nil {
		return err
	}
	return firstFault(e, doorChecks[:])
}

// Sendable checks only what keeps an email from being sent. A worker asks it of queued emails: an older pm-api took some
// that Validate refuses today.
func (e *Email) Sendable() error { return firstFault(e, checks[:]) }

func firstFault(e *Email, checks []func(*Email) error) error {
	for _, check := range checks {
		if err := check(e); err != nil {
			return err
		}
	}
	return nil
}

// doorChecks are about emails that SendGrid would send, but that would not be what their reader or caller takes them for.
var doorChecks = [...]func(*Email) error{
	(*Email).checkSubjectDirection,
	(*Email).checkSMTPAPI,
}

// checks is in the order of Email's fields, but for those that look at others: these come after them.
var checks = [...]func(*Email) error{
	(*Email).checkTo,
	(*Email).checkFrom,
	(*Email).checkSubject,
	(*Email).checkBody,
	(*Email).checkReplyTo,
	(*Email).checkArgs,
	(*Email).checkFlags,
	(*Email).checkUniqueID,
	(*Email).checkCopies,
	(*Email).checkHeaders,
	(*Email).checkCategories,
	(*Email).checkAttachments,
	(*Email).checkTemplate,
	(*Email).checkRouting,
	(*Email).checkTimes,
	(*Email).checkIdempotencyKey,
	(*Email).checkOnUnknown,
	(*Email).checkWireSize,
}

func (e *Email) checkSubject() error {
	if e.Subject == "" && e.TemplateID == "" {
		return fault("subject", "is required without a templateID")
	}
	return checkText("subject", e.Subject, MaxSubject)
}

func (e *Email) checkSubjectDirection() error { return checkDirection("subject", e.Subject) }

func (e *Email) checkBody() error {
	if e.HTML == "" && e.Text == "" && e.TemplateID == "" {
		return fault("html", "or text is required without a templateID")
	}
	if err := checkBodyText("html", e.HTML); err != nil {
		return err
	}
	return checkBodyText("text", e.Text)
}

func checkBodyText(field, s string) error {
	if len(s) > MaxBody {
		return fault(field, "is longer than %d bytes", MaxBody)
	}
	if !utf8.ValidString(s) {
		return fault(field, "is not UTF-8")
	}
	return nil
}

func (e *Email) checkFlags() error { return ValidateMailFlags("flags", e.Flags) }

// ValidateMailFlags checks the kinds of a mail.
func ValidateMailFlags(field string, flags int64) error {
	if flags&FlagsAllAllowed != 0 {
		return fault(field, "must not have bit %d, which stands for a recipient who opted out of nothing", FlagsAllAllowed)
	}
	return nil
}

func (e *Email) checkUniqueID() error {
	if len(e.UniqueID) > MaxUniqueID {
		return fault("uniqueID", "is longer than %d bytes", MaxUniqueID)
	}
	return nil
}

func (e *Email) checkRouting() error {
	if e.ASMGroupID < 0 {
		return fault("asmGroupID", "must be positive")
	}
	if n := utf8.RuneCountInString(e.IPPool); n != 0 && (n < MinIPPool || n > MaxIPPool) {
		return fault("ipPool", "must have %d to %d characters", MinIPPool, MaxIPPool)
	}
	if err := checkText("ipPool", e.IPPool, MaxIPPool*utf8.UTFMax); err != nil {
		return err
	}
	return checkChoice("priority", e.Priority, PriorityHigh, PriorityNormal)
}

func (e *Email) checkTimes() error {
	if err := checkTime("sendAt", e.SendAt); err != nil {
		return err
	}
	if err := checkTime("sendBefore", e.SendBefore); err != nil {
		return err
	}
	if e.SendAt != 0 && e.SendBefore != 0 && e.SendBefore <= e.SendAt {
		return fault("sendBefore", "must be after sendAt")
	}
	return nil
}

func checkTime(field string, seconds int64) error {
	if seconds < 0 || seconds > MaxTime {
		return fault(field, "must be a time in unix seconds")
	}
	return nil
}

func (e *Email) checkIdempotencyKey() error {
	if len(e.IdempotencyKey) > MaxKey {
		return fault("idempotencyKey", "is longer than %d bytes", MaxKey)
	}
	return nil
}

func (e *Email) checkOnUnknown() error {
	return checkChoice("onUnknown", e.OnUnknown, OnUnknownResend, OnUnknownHold)
}

func checkChoice(field, value, one, other string) error {
	if value != "" && value != one && value != other {
		return fault(field, "must be %q or %q", one, other)
	}
	return nil
}
