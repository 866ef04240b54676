package mailsend

import "unicode/utf8"

const (
	minPoolName = 2
	maxPoolName = 64
)

func readSettings(root node, m *Mail) {
	if f, ok := root.get("asm"); ok {
		m.ASMGroupID = readASM(f)
	}
	if f, ok := root.get("ip_pool_name"); ok {
		m.IPPool = f.text()
		if n := utf8.RuneCountInString(m.IPPool); n < minPoolName || n > maxPoolName {
			f.fail("The ip_pool_name must be between 2 and 64 characters in length.")
		}
	}
	if f, ok := root.get("mail_settings"); ok && f.object() {
		m.SandboxMode = readMailSettings(f)
	}
	if f, ok := root.get("tracking_settings"); ok && f.object() {
		m.NoOpenTracking = readTracking(f)
	}
}

func readASM(f node) int64 {
	if !f.object() {
		return 0
	}
	if groups, ok := f.get("groups_to_display"); ok {
		for _, e := range groups.elements(maxGroupsToDisplay) {
			e.integer()
		}
	}
	id, ok := f.get("group_id")
	if !ok {
		f.at("group_id").fail("The asm.group_id parameter is required.")
		return 0
	}
	return id.integer()
}

func readMailSettings(f node) (sandboxMode bool) {
	bypasses := map[string]bool{}
	for _, key := range []string{
		"bypass_list_management", "bypass_spam_management", "bypass_bounce_management", "bypass_unsubscribe_management",
	} {
		bypasses[key], _ = readSetting(f, key)
	}
	if bypasses["bypass_list_management"] &&
		(bypasses["bypass_spam_management"] || bypasses["bypass_bounce_management"] || bypasses["bypass_unsubscribe_management"]) {
		f.at("bypass_list_management").fail("The bypass_list_management setting cannot be combined with any other bypass setting.")
	}
	readSetting(f, "footer", "text", "html")
	sandboxMode, _ = readSetting(f, "sandbox_mode")
	return sandboxMode
}

func readTracking(f node) (noOpens bool) {
	readSetting(f, "click_tracking")
	if text, ok := f.at("click_tracking").get("enable_text"); ok {
		text.boolean()
	}
	opens, set := readSetting(f, "open_tracking", "substitution_tag")
	readSetting(f, "subscription_tracking", "text", "html", "substitution_tag")
	readSetting(f, "ganalytics", "utm_source", "utm_medium", "utm_term", "utm_content", "utm_campaign")
	return set && !opens
}

// readSetting reads an object that has an enable switch and texts beside it.
func readSetting(n node, key string, texts ...string) (enabled, set bool) {
	f, ok := n.get(key)
	if !ok || !f.object() {
		return false, false
	}
	for _, t := range texts {
		if field, ok := f.get(t); ok {
			field.text()
		}
	}
	enable, ok := f.get("enable")
	if !ok {
		return false, false
	}
	return enable.boolean(), true
}
