#!/bin/sh
# release.sh ARCHITECTURE FILE: compiles what is released for amd64 or arm64, as images call them. The file needs nothing
# of the system that it runs on, and knows no path of the one that it comes from.
set -eu
case "$1" in
    amd64) target=x86_64-unknown-linux-gnu cc=x86_64-linux-gnu-gcc
        # Places that depend on where the program is loaded, in a tenth of the space. A static program of arm64 is
        # loaded to one place: the compiler knows no other.
        link=-Clink-arg=-Wl,--pack-dyn-relocs=relr ;;
    # Pages of arm64 are up to 64 KiB large.
    arm64) target=aarch64-unknown-linux-gnu cc=aarch64-linux-gnu-gcc link=
        export JEMALLOC_SYS_WITH_LG_PAGE=16 ;;
    *) echo "no target for the architecture '$1'" >&2; exit 1 ;;
esac
# The compiler's own linker, which a named `cc` does not get by itself.
host=$(rustc --version --verbose | sed -n 's/^host: //p')
linker=$(rustc --print sysroot)/lib/rustlib/$host/bin/gcc-ld
link="-Clink-arg=-B$linker -Clink-arg=-fuse-ld=lld $link"
variable=$(echo "$target" | tr a-z- A-Z_)
export "CARGO_TARGET_${variable}_LINKER=$cc" "CC_$(echo "$target" | tr - _)=$cc"
export RUSTFLAGS="-Ctarget-feature=+crt-static $link \
--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo --remap-path-prefix=$PWD=."
# The variable is a command and its arguments.
${CARGO:-cargo} build --locked --release --target "$target" --bin fluxsec
mkdir -p "$(dirname "$2")"
cp "${CARGO_TARGET_DIR:-target}/$target/release/fluxsec" "$2"
