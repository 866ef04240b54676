package page

import "golang.org/x/text/language"

// texts is what the page says in one language. A new language is one more entry of translations.
type texts struct {
	Lang string // of the html element

	AskTitle, Ask, Button      string
	DoneTitle, Done            string
	InvalidTitle, Invalid      string
	UnavailableTitle, TryAgain string
}

// translations begins with the language of those whose own is not there.
var translations = []texts{
	{
		Lang:     "en",
		AskTitle: "Unsubscribe?", Ask: "You will get no more emails of this kind at:", Button: "Unsubscribe",
		DoneTitle: "You are unsubscribed", Done: "No more emails of this kind will be sent to:",
		InvalidTitle: "This link does not work", Invalid: "Please use the link in the email as it is. A part of it may have got lost on the way.",
		UnavailableTitle: "Not done yet", TryAgain: "Something is wrong on our side. Please try again in a few minutes.",
	},
	{
		Lang:     "de",
		AskTitle: "Abmelden?", Ask: "Sie erhalten dann keine E-Mails dieser Art mehr an:", Button: "Abmelden",
		DoneTitle: "Sie sind abgemeldet", Done: "Keine E-Mails dieser Art gehen mehr an:",
		InvalidTitle: "Dieser Link funktioniert nicht", Invalid: "Bitte verwenden Sie den Link so, wie er in der E-Mail steht. Vielleicht fehlt ein Teil davon.",
		UnavailableTitle: "Noch nicht abgemeldet", TryAgain: "Bei uns ist etwas gestört. Bitte versuchen Sie es in einigen Minuten noch einmal.",
	},
}

// tags are the languages of translations, in their order.
func tags() []language.Tag {
	tags := make([]language.Tag, len(translations))
	for i, t := range translations {
		tags[i] = language.MustParse(t.Lang)
	}
	return tags
}
