package unsubscribe

// The headers of RFC 8058. SendGrid puts both under the DKIM signature, as the RFC wants.
const (
	HeaderList     = "List-Unsubscribe"
	HeaderListPost = "List-Unsubscribe-Post"

	oneClick = "List-Unsubscribe=One-Click"
)

// Headers returns the headers for a mail to address of the kinds in flags. A mail of no kind gets none: nobody can opt
// out of it. Neither does any mail when l is nil.
func (l *Links) Headers(address string, flags int64) map[string]string {
	if l == nil || flags == 0 {
		return nil
	}
	return map[string]string{
		HeaderList:     "<" + l.URL(Request{address, flags}) + ">",
		HeaderListPost: oneClick,
	}
}
