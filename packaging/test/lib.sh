# What the tests of packages and services share. Sourced by the scripts beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
work=${WORK:-/var/tmp/brodaemon-test} # outside /tmp, which services don't see
passed=0

skip() {
	echo "SKIPPED: $*" >&2
	exit 0
}

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

ok() {
	passed=$((passed + 1))
	echo "ok   $*"
}

# until_true SECONDS WHAT COMMAND…: wait for a condition, with a deadline
until_true() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || fail "not in time: $what"
		sleep 0.2
	done
	ok "$what"
}

# says PATTERN COMMAND…: its output, whole, has the pattern. (A reader that goes
# early, as grep -q does, ends the command in pain; under Wine it hangs.)
says() {
	local pattern=$1 out
	shift
	out=$("$@" 2>&1 </dev/null) || true
	grep -q "$pattern" <<<"$out"
}

# mirror prints the machine's own package mirror
mirror() {
	awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null || true
	awk '/^deb /{print $2; exit}' /etc/apt/sources.list 2>/dev/null || true
}

need() { # PACKAGE…: install what is missing
	local missing=()
	for package in "$@"; do
		dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
	done
	((${#missing[@]} == 0)) || { apt-get update -q && apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 "${missing[@]}"; } >"$work/apt.log" 2>&1 ||
		skip "can't install ${missing[*]}: $(tail -1 "$work/apt.log")"
}

# document FILE REFERENCE: a small document about a new object
document() {
	cat >"$1.part" <<XML
<?xml version="1.0" encoding="UTF-8"?>
<registrationRequest xmlns="http://www.broservices.nl/xsd/isgmw/1.1" xmlns:b="http://www.broservices.nl/xsd/brocommon/3.0">
  <b:requestReference>test</b:requestReference>
  <b:deliveryAccountableParty>12345678</b:deliveryAccountableParty>
  <b:qualityRegime>IMBRO</b:qualityRegime>
  <sourceDocument><GMW_Construction><objectIdAccountableParty>$2</objectIdAccountableParty></GMW_Construction></sourceDocument>
</registrationRequest>
XML
	mv "$1.part" "$1"
}

filed() { # FOLDER NAME: it lies in done/ with its receipt
	compgen -G "$1/done/*/$2" >/dev/null && compgen -G "$1/done/*/$2.receipt.json" >/dev/null
}
