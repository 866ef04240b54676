package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"

	"github.com/rs/zerolog"
)

// Pages are a site's templates by name.
type Pages map[string]*template.Template

// ParsePages reads NAME.html of each name, together with the base.html that all of them share.
func ParsePages(files fs.FS, functions template.FuncMap, names ...string) (Pages, error) {
	pages := make(Pages)
	for _, name := range names {
		t, err := template.New(name).Funcs(functions).ParseFS(files, "base.html", name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page: %w", err)
		}
		pages[name] = t.Lookup(name + ".html")
	}
	return pages, nil
}

// Render answers with a whole page, or says in the log why it cannot.
func (p Pages) Render(w http.ResponseWriter, log zerolog.Logger, status int, name string, data any) {
	var out bytes.Buffer
	if err := p[name].Execute(&out, data); err != nil {
		log.Error().Err(err).Str("page", name).Msg("page not rendered")
		http.Error(w, "page not rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(out.Bytes())
}
