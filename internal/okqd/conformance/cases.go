package conformance

import "slices"

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
		{"ReleaseTakesADeliveryBack", release},
		{"StatusCounts", statusCounts},

		{"ALeasesTokenActsOnThatLeaseOnly", leaseTokens},
		{"RestartKeepsLeaseTokens", leaseTokensRestart},
		{"MoveLeavesTheEventInOneQueue", moving},
		{"MoveWakesConsumers", movingWakes},
		{"RemoveAndReplaceSpareTheLeased", spared},

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

// unordered are the cases in which no event has to come before another.
func unordered() []testCase {
	ordered := []string{
		"AnswersAsTheOriginal", "PipelineIsAnsweredInOrder", "LargeEventsAreGivenInParts", "PopsGoFromFrontToBack",
		"PeekTellsTheStateOfAnEvent",
		"RemoveAndReplaceSpareTheLeased", "CountGivesListsWithDeliveries", "DelayHidesAnEvent", "RedoWithDelayComesBackInFront", "StatusCounts",
		"RestartKeepsEverything", "BehavesAsTheModel",
	}
	rest := slices.DeleteFunc(cases(), func(c testCase) bool { return slices.Contains(ordered, c.name) })
	return append(rest, testCase{"BehavesAsTheModelButForOrder", unorderedModel})
}
