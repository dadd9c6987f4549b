#!/usr/bin/env bash
# Installs what Enxerto is built with from the distribution's packages: Debian 12 and 13, Ubuntu 22.04 and
# 24.04. Says what it is about to install; uses sudo where you are not root; does nothing where all is there.
#
# usage: tools/install_dependencies.sh [--tests]
#   --tests   also what the tests and the labs need: GoogleTest, Python 3, gnuplot, jq, clang-format 14 where
#             the distribution has it
set -euo pipefail

# ocl-icd-opencl-dev: oneDNN's CMake files look for OpenCL, and its package forgets to ask for it.
build=(g++ cmake ninja-build ccache libdnnl-dev ocl-icd-opencl-dev libjpeg-dev libpng-dev libwebp-dev
  libgif-dev libtiff-dev zlib1g-dev nlohmann-json3-dev libzip-dev libhdf5-dev libprotobuf-dev protobuf-compiler libcli11-dev libcurl4-openssl-dev
  libssl-dev libopenblas-openmp-dev)
tests=(libgtest-dev python3 gnuplot-nox jq)
# Wanted, and left out where the distribution has no such package. libheif reads HEIF and AVIF; on Debian 13 and
# Ubuntu 24.04 its decoders are packages of their own.
optional=(libheif-dev libheif-plugin-libde265 libheif-plugin-dav1d)
case "${1:-}" in
  "") wanted=("${build[@]}") ;;
  --tests) wanted=("${build[@]}" "${tests[@]}") optional+=(clang-format-14) ;;
  *) echo "usage: tools/install_dependencies.sh [--tests]" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null; then
  echo "This system has no apt-get. Enxerto needs a C++20 compiler (GCC 11 or newer), CMake 3.22, Ninja, oneDNN 2.2" >&2
  echo "or newer, libjpeg-turbo, libpng, libwebp, giflib, libtiff, zlib, libzip, HDF5, protobuf, nlohmann-json 3.10," >&2
  echo "CLI11, libcurl, OpenSSL, OpenBLAS, GoogleTest for the tests, gnuplot and jq for the labs, and libheif for HEIF and AVIF. Install them, then:" >&2
  echo "cmake --preset release && cmake --build --preset release" >&2
  exit 1
fi

is_there() { [[ $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) == "install ok installed" ]]; }
missing=() extra=()
for package in "${wanted[@]}"; do is_there "$package" || missing+=("$package"); done
for package in "${optional[@]}"; do is_there "$package" || extra+=("$package"); done
known=()  # of the extra ones, those that the distribution has
look_for_extra() {
  known=()
  for package in "${extra[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); fi
  done
}
look_for_extra
[[ ${#missing[@]} -gt 0 || ${#known[@]} -gt 0 ]] || exit 0

root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "Missing packages: ${missing[*]} ${known[*]}; install them as root" >&2
    exit 1
  fi
  root=(sudo)
fi
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 "$@"; }

apt update
look_for_extra
echo "Installing from the distribution's packages: ${missing[*]} ${known[*]}"
apt install -y --no-install-recommends "${missing[@]}" "${known[@]}"
