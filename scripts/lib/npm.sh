# npm install into a folder, quietly. Sourced by the scripts that use packages of npm's.

# Node trusts authorities of its own and not the machine's, which a company's proxy may need.
authorities=/etc/ssl/certs/ca-certificates.crt
if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -r "$authorities" ]; then
  export NODE_EXTRA_CA_CERTS=$authorities
fi

# npm_install FOLDER [PACKAGE…]
npm_install() {
  local folder=$1
  shift
  npm install --prefix "$folder" --no-audit --no-fund --no-progress --ignore-scripts "$@" >&2
}
