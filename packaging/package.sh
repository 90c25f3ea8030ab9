#!/usr/bin/env bash
# Makes everything that is handed out, in dist/packages: deb and rpm for amd64 and
# arm64, an MSI, a zip, tar.gz files, bills of materials, and SHA256SUMS. Run it as
# `make packages`, which installs the pinned tools first; the MSI needs wixl (Debian
# package wixl), manual pages are compressed with gzip.
#
# What it makes depends on the commit and the Go version alone: times are the
# commit's. VERSION=1.2.3 names a release; otherwise the last tag names it, or, where
# there is none, 0.0.N with N commits. TARGETS="linux/amd64 windows/amd64" makes less.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${TOOLS:-$PWD/.tools}
out=$PWD/dist/packages
work=$PWD/dist/stage
rm -rf "$out" "$work"
mkdir -p "$out" "$work"

version() {
	local described
	if described=$(git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null); then
		described=${described#v}
		echo "${described//-/.}"
	else
		echo "0.0.$(git rev-list --count HEAD)"
	fi
}
export VERSION=${VERSION:-$(version)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
SOURCE_DATE=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
numbers=$(grep -oE '^[0-9]+\.[0-9]+\.[0-9]+' <<<"$VERSION") # of Windows: three numbers
echo "version $VERSION, times of $SOURCE_DATE"

build() { # OS ARCH FILE
	CGO_ENABLED=0 GOOS=$1 GOARCH=$2 GOFLAGS=-buildvcs=false go build -trimpath \
		-ldflags "-s -w -buildid= -X main.version=$VERSION -X main.revision=$(git rev-parse HEAD)" -o "$3" ./cmd/brodaemon
}

# the exe's version and icon, which the Go linker takes from a .syso beside the sources
go run ./packaging/gen icon "$work/icon"
trap 'rm -f cmd/brodaemon/rsrc_windows_amd64.syso' EXIT
"$tools/go-winres" simply --arch amd64 --out cmd/brodaemon/rsrc --icon "$work/icon/icon256.png" --manifest cli \
	--product-version "$numbers.0" --file-version "$numbers.0" --product-name brodaemon \
	--file-description "Delivers BRO source documents to the Bronhouderportaal" --original-filename brodaemon.exe

for target in ${TARGETS:-linux/amd64 linux/arm64 windows/amd64}; do
	os=${target%/*} arch=${target#*/}
	stage=$work/$os-$arch
	mkdir -p "$stage"
	program=$stage/brodaemon
	[ "$os" = linux ] || program+=.exe
	build "$os" "$arch" "$program"
	go run ./packaging/gen licences "$program" "$stage/licences.txt"
	go run ./packaging/gen sbom "$program" "$stage/sbom.cdx.json"
	cp "$stage/sbom.cdx.json" "$out/brodaemon-$VERSION-$os-$arch.cdx.json"
done

manual=$work/manual
go run ./cmd/brodaemon manual "$manual" --date "$SOURCE_DATE"
mkdir -p "$manual/man1gz"
for page in "$manual"/man1/*; do
	gzip -9n <"$page" >"$manual/man1gz/$(basename "$page").gz"
done
shared=$work/shared
mkdir -p "$shared"
cp -r README.md CHANGELOG.md config.example.yaml docs internal/service/brodaemon.service packaging/credentials.conf "$shared/"
find "$work" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +

for arch in amd64 arm64; do
	[ -d "$work/linux-$arch" ] || continue # TARGETS left it out
	for kind in deb rpm; do
		ARCH=$arch STAGE=$work/linux-$arch MANUAL=$manual SHARED=$shared "$tools/nfpm" package --config packaging/nfpm.yaml --packager "$kind" --target "$out/"
	done
	tree=$work/brodaemon-$VERSION-linux-$arch
	mkdir -p "$tree"
	cp -r "$work/linux-$arch"/{brodaemon,licences.txt,sbom.cdx.json} "$manual/man1" "$manual/completions" "$shared"/* "$tree/"
	tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf - "$(basename "$tree")" |
		gzip -9n >"$out/$(basename "$tree").tar.gz"
done

windows=$work/brodaemon-$VERSION-windows-amd64
mkdir -p "$windows"
cp -r "$work/windows-amd64"/{brodaemon.exe,licences.txt,sbom.cdx.json} README.md CHANGELOG.md config.example.yaml docs "$manual/completions/brodaemon.ps1" "$windows/"
find "$windows" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
go run ./packaging/gen zip "$windows" "$out/$(basename "$windows").zip"

printf '[InternetShortcut]\r\nURL=http://127.0.0.1:8480/\r\n' >"$work/status.url"
go run ./packaging/gen windows-config config.example.yaml "$work/config.yaml"
find "$work" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
if command -v wixl >/dev/null && command -v msibuild >/dev/null; then
	packaging/msi.sh "$work" "$VERSION" "$out/brodaemon-$VERSION-x64.msi"
else
	echo "NOT MADE: the MSI, which needs wixl and msibuild (apt-get install wixl msitools)" >&2
	[ -n "${ALLOW_NO_MSI:-}" ] || exit 1
fi

(cd "$out" && sha256sum -- * >SHA256SUMS)
ls -l "$out"
