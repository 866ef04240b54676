# What the tests of deploy/ look at manifests with. All of it is built or downloaded once, and nothing of it runs as a
# service. Sourced by scripts/services and scripts/k8s.

kubernetes_version=v1.36.3
keda_version=v2.21.0
prometheus_operator_version=v0.85.0
deploy_env=$cache/deploy-1.env # count up when a version changes

# prepare_deploy leaves the tools' places in $deploy_env.
prepare_deploy() {
  [ ! -s "$deploy_env" ] || return 0
  local kustomize kubeconform prometheus kubernetes keda operator
  kustomize=$(go_tool sigs.k8s.io/kustomize/kustomize/v5 v5.8.2)
  kubeconform=$(go_tool github.com/yannh/kubeconform/cmd/kubeconform v0.8.0)
  prometheus=$(unpack_prometheus)
  kubernetes=$(module_dir k8s.io/kubernetes "$kubernetes_version")
  keda=$(module_dir github.com/kedacore/keda/v2 "$keda_version")
  operator=$(module_dir github.com/prometheus-operator/prometheus-operator "$prometheus_operator_version")
  cat >"$deploy_env.new" <<ENV
export PM_TEST_KUSTOMIZE=$kustomize
export PM_TEST_KUBECONFORM=$kubeconform
export PM_TEST_PROMETHEUS=$prometheus/usr/bin
export PM_TEST_KUBERNETES_OPENAPI=$kubernetes/api/openapi-spec/v3
export PM_TEST_CRDS=$keda/config/crd/bases:$operator/example/prometheus-operator-crd
ENV
  mv "$deploy_env.new" "$deploy_env"
}

# unpack_prometheus takes Debian's prometheus and promtool without installing the package.
unpack_prometheus() {
  local dir=$cache/prometheus
  [ -x "$dir/usr/bin/promtool" ] || unpack_package prometheus "$dir"
  echo "$dir"
}

# unpack_package NAME DIR: a Debian package's files, without installing it, which would start a server.
unpack_package() {
  local tmp
  tmp=$(mktemp -d "$cache/tmp.$1.XXXXXX")
  (cd "$tmp" && { apt-get download "$1" || { apt-get update && apt-get download "$1"; }; }) >&2
  dpkg -x "$tmp/$1"_*.deb "$tmp/root"
  rm -rf "$2"
  mv "$tmp/root" "$2"
  rm -rf "$tmp"
}

# module_dir MODULE VERSION: the folder of a module's files. Nothing of it is built.
module_dir() {
  (cd / && go mod download -json "$1@$2") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}
