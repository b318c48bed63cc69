#!/bin/sh
# release.sh ARCHITECTURE FILE: compiles what is released for amd64 or arm64, as images call them. The file needs nothing
# of the system that it runs on, and knows no path of the one that it comes from.
set -eu
case "$1" in
    # Places that depend on where the program is loaded, in an eighth of the space; functions that do the same, once.
    amd64) target=x86_64-unknown-linux-gnu cc=x86_64-linux-gnu-gcc
        link="-Clink-arg=-Wl,--pack-dyn-relocs=relr -Clink-arg=-Wl,--icf=all" ;;
    # Pages of arm64 are up to 64 KiB large. A static program is loaded to one place there: the compiler knows no other.
    arm64) target=aarch64-unknown-linux-gnu cc=aarch64-linux-gnu-gcc link=
        export JEMALLOC_SYS_WITH_LG_PAGE=16 ;;
    *) echo "no target for the architecture '$1'" >&2; exit 1 ;;
esac
variable=$(echo "$target" | tr a-z- A-Z_)
export "CARGO_TARGET_${variable}_LINKER=$cc" "CC_$(echo "$target" | tr - _)=$cc"
export RUSTFLAGS="-Ctarget-feature=+crt-static $link \
--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo --remap-path-prefix=$PWD=."
# The variable is a command and its arguments.
${CARGO:-cargo} build --locked --release --target "$target" --bin fluxsec
mkdir -p "$(dirname "$2")"
cp "${CARGO_TARGET_DIR:-target}/$target/release/fluxsec" "$2"
