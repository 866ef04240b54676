package web

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed assets
var embedded embed.FS

// AddAssets serves the shared style and script, and those files of own that have names, under /assets/.
func AddAssets(mux *http.ServeMux, own fs.FS, names ...string) {
	shared, _ := fs.Sub(embedded, "assets") // embedded above
	add := func(files fs.FS, name string) {
		mux.Handle("GET /assets/"+name, http.StripPrefix("/assets/", http.FileServerFS(files)))
	}
	add(shared, "style.css")
	add(shared, "app.js")
	for _, name := range names {
		add(own, name)
	}
}
