package job

// The limits that Validate holds mails to. Those without a source are postmaster's own, most of them 0.4.0's.
//
// Sources: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send (its limitations and its errors), and
// SendGrid's OpenAPI document of the same.
const (
	MaxAddress     = 256 // bytes of an address; SendGrid takes 320
	MaxLocalPart   = 64  // bytes before the @ (RFC 5321, 4.5.3.1.1, and SendGrid)
	MaxName        = 256 // bytes of a name beside an address
	MaxRecipients  = 1000
	MaxSubject     = 998     // bytes: the longest line of RFC 5322
	MaxBody        = 2 << 20 // bytes of html, and of text
	MaxUniqueID    = 256     // bytes
	MaxKey         = 256     // bytes of idempotencyKey
	MaxArg         = 256     // bytes of a key, and of a value, in uniqueArgs
	MaxArgs        = 9999    // bytes of SendGrid's custom_args as JSON, which must be below 10,000
	MaxEnvironment = 64      // bytes of the --environment that MaxArgs leaves room for
	MaxCategories  = 10
	MaxCategory    = 255 // ASCII characters
	MaxTemplateID  = 256 // bytes
	MinIPPool      = 2   // characters
	MaxIPPool      = 64
	MaxFilename    = 256          // bytes of an attachment's filename, type and contentID
	MaxWire        = 29_999_999   // bytes of the mail as SendGrid gets it, which must be below 30 MB
	MaxTime        = 253402300799 // unix seconds: the end of the year 9999. More is milliseconds
)

// DynamicTemplate begins the ID of a template that takes data.
const DynamicTemplate = "d-"

// testDomain ends the recipients of callers' own unit tests, which 0.4.0 refused as this does.
const testDomain = "@test"
