# go_tool PACKAGE VERSION: build a Go program once into $cache/bin, and print its path. Sourced; needs $cache.
# The path holds Go's version too: some tools, built with an older Go, cannot read a newer one's packages.
go_tool() {
  local name=${1##*/} tmp
  [[ ! $name =~ ^v[0-9]+$ ]] || name=$(basename "$(dirname "$1")") # …/kustomize/v5
  local tool=$cache/bin/$name-$2-$(go env GOVERSION)
  if [ ! -x "$tool" ]; then
    mkdir -p "$cache/bin"
    tmp=$(mktemp -d "$cache/tmp.$name.XXXXXX")
    GOBIN=$tmp go install "$1@$2" || { rm -rf "$tmp"; return 1; }
    mv "$tmp/$name" "$tool"
    rmdir "$tmp"
  fi
  echo "$tool"
}
