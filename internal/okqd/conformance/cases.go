package conformance

func cases() []testCase {
	return []testCase{
		{"AnswersAsTheOriginal", original},
		{"GarbageEndsTheConnection", wire},
	}
}
