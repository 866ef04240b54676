// Package web is what postmaster's sites for people share: their style and script, the policies that keep a page to
// itself, templates with a base, and pages that keep themselves up to date.
//
// A page works without its script. With it, the parts marked data-live are fetched anew whenever the site's Feed
// changed, and forms marked data-quiet are sent without leaving the page. The body's data-stream is the path that the
// Feed is served at, and its data-revision the Feed's revision when the page was made.
package web
