package conformance

func cases() []testCase {
	return []testCase{
		{"AnswersAsTheOriginal", original},
		{"GarbageEndsTheConnection", wire},
		{"TodaysClientsAreGreeted", greetings},
		{"PipelineIsAnsweredInOrder", pipelining},
		{"BytesAreKept", binary},
		{"LargeEventsAreGivenInParts", largeEvents},

		{"PopsGoFromFrontToBack", order},
		{"IDIsTakenWhileTheEventIsAlive", duplicates},
		{"PopWithoutLeaseIsForGood", noLease},
		{"AckRemovesInAnyState", acks},
		{"PeekTellsTheStateOfAnEvent", peekByID},
		{"CountGivesListsWithDeliveries", counts},
		{"BadValuesAreNamed", badValues},
		{"ScanFindsAllEvents", scans},
		{"ScanGoesOnWhileItsEventsAreRemoved", scanWhileTaken},

		{"LeaseEndsInTimeAndNotBefore", leaseEnds},
		{"TouchMakesALeaseLonger", touch},
		{"RedoGivesTheNextAFullLease", redoLease},
		{"DelayHidesAnEvent", delays},
		{"RedoWithDelayComesBackInFront", redoDelay},
		{"StatusCounts", statusCounts},

		{"NotifyWakesOnEverythingThatMakesAnEventReady", notifyReasons},
		{"NotifyForgetsNobody", notifyAll},
		{"NotifySharesItsQueues", notifyFair},
		{"ConsumersAreCountedWhileConnected", consumers},
		{"EachEventGoesToOneConsumer", competition},

		{"RestartKeepsEverything", restart},
		{"RestartKeepsLeasesAndDelays", restartTimes},
		{"BehavesAsTheModel", model},
	}
}
