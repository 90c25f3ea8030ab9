#!/usr/bin/env bash
# Makes an MSI from what package.sh has put together: msi.sh WORK VERSION FILE
# The same every time: wixl's time and random package code are replaced.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$1 version=$2 file=$3
export TZ=UTC SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
numbers=$(grep -oE '^[0-9]+\.[0-9]+\.[0-9]+' <<<"$version") # of Windows: three numbers
code=$(go run ./packaging/gen guid "brodaemon $version")
# wixl takes paths from the folder it runs in only
cp packaging/brodaemon.wxs "$work/"
(cd "$work" && wixl --arch x64 -D Version="$numbers" -D Stage=. -D Program=windows-amd64 -D Shared=shared -D ProductCode="$code" -o "$file" brodaemon.wxs)
# the configuration is permanent (16) and never overwritten (128), in a 64-bit component (256)
msibuild "$file" -q 'UPDATE `Component` SET `Attributes` = 400 WHERE `Component` = '"'Config'"
msiinfo export "$file" Component | tr -d '\r' | awk -F'\t' '$1 == "Config" && $4 == 400 { found = 1 } END { exit !found }' ||
	{ echo "the configuration would go with an uninstall" >&2; exit 1; }
go run ./packaging/gen pin-msi "$file"
created=$(msiinfo suminfo "$file" | sed -n 's/^Created: //p')
[ "$(date -d "$created" +%s)" = "$SOURCE_DATE_EPOCH" ] || { echo "the MSI's time is $created" >&2; exit 1; }
