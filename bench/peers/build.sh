#!/bin/sh
# Builds the ns-3 peers against Debian's package into DIR (default .tmp/bench/peers below the project). Needs, on Debian 12:
#   apt-get install -y --no-install-recommends g++ ns3 libns3-dev python3-simpy3
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../.tmp/bench/peers}
mkdir -p "$out"
# As Debian builds the library: optimised, with logging compiled in, so that inlined code agrees with it.
flags="-O3 -DNDEBUG -DNS3_LOG_ENABLE -DNS3_BUILD_PROFILE_RELEASE -std=c++17"
build() {
  if [ -x "$out/$1" ] && [ "$out/$1" -nt "$here/$1.cc" ]; then return; fi
  program=$1
  shift
  libraries=""
  for module in "$@"; do libraries="$libraries -lns3-$module"; done
  # shellcheck disable=SC2086
  g++ $flags "$here/$program.cc" -o "$out/$program" $libraries
}
build ns3-lan bridge csma internet traffic-control network stats core
build ns3-hold core
