// Package cases tries the small inputs that failed once, each on whole programs, with the right value beside it.
//
// A test is named TestCaseNN and logs one line, "came: …", which `make cases` puts into its table. With PM_BIN it runs
// against other binaries, so that a version with the fault shows it.
package cases
