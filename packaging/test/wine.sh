#!/usr/bin/env bash
# What can be shown of Windows without Windows: Wine 10 from Debian trixie in a chroot.
# Runs the tests of the rooms that touch files and secrets as Windows programs; then
# the real exe: watch, deliver, done/; a file that another program holds; the service
# through the service manager; the MSI: install, upgrade, removal. Needs root and
# Debian; makes what it needs with debootstrap. Use it after make packages.
# TRIXIE=DIR uses a prepared root file system (trixie with wine64) as the base.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "Wine in a chroot needs root"
mkdir -p "$work"
need debootstrap wixl msitools
msi=$(ls "$root"/dist/packages/*-x64.msi 2>/dev/null | head -1 || true)
exe=$root/dist/stage/windows-amd64/brodaemon.exe
[ -n "$msi" ] && [ -x "$exe" ] || fail "no MSI or exe in dist: run make packages first"

base=${TRIXIE:-$work/trixie}
if ! chroot "$base" sh -c 'command -v wine' >/dev/null 2>&1; then
	{ debootstrap --variant=minbase trixie "$base" "$(mirror | head -1)" &&
		chroot "$base" sh -c 'apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends wine wine64'; } >"$work/trixie.log" 2>&1 ||
		skip "no Wine: $(tail -1 "$work/trixie.log")"
fi

# C: is in $place, which the chroot sees under the same path
place=$work/wine-$$
mkdir -p "$place" "$base$place" "$base/proc" "$base/dev"
mount --bind /proc "$base/proc"
mount --bind /dev "$base/dev"
mount --bind "$place" "$base$place"
export WINEPREFIX=$place/prefix WINEDEBUG=-all
c=$WINEPREFIX/drive_c
# a Windows program: "${wine[@]}" PROGRAM ARGUMENTS; in the background, $! is itself.
# Wine makes access lists of modes: with this umask nobody else may read what it makes.
export at=$place
wine=(chroot "$base" env -u GOTMPDIR sh -c 'umask 077 && cd "$at" && exec wine "$@"' sh)
w() { timeout -k 5 "${limit:-300}" "${wine[@]}" "$@"; }
pids=()
finish() {
	local rc=$?
	[ $rc = 0 ] || tail -n 30 "$c"/ProgramData/brodaemon/data/logs/*.log 2>/dev/null || true
	chroot "$base" wineserver -k 2>/dev/null || true
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	sleep 1
	for mounted in "$base$place" "$base/dev" "$base/proc"; do
		umount "$mounted" 2>/dev/null || umount -l "$mounted" || true
	done
	[ -n "${KEEP:-}" ] || rm -rf --one-file-system "$place"
	exit $rc
}
trap finish EXIT
w wineboot -i >"$place/boot.log" 2>&1 || fail "wineboot: $(tail -3 "$place/boot.log")"
# Without a program that stays, every command would start another Windows. And two of
# them side by side each have a service manager of their own: so one after another.
timeout 60 chroot "$base" wineserver -w || true
"${wine[@]}" cmd /c 'ping -n 100000 127.0.0.1' >/dev/null 2>&1 &
pids+=($!)
managers() { # how many service managers this prefix has
	local n=0 p
	for p in $(pgrep -f 'system32.services.exe'); do
		tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -xF "WINEPREFIX=$WINEPREFIX" >/dev/null && n=$((n + 1))
	done
	echo $n
}
one_manager() { [ "$(managers)" = 1 ]; }
until_true 30 "one service manager" one_manager
ok "Wine: $(w cmd /c ver </dev/null | tr -d '\r\n')"

# the rooms' own tests, as Windows programs, but for those that can't pass under Wine
skip=$(grep -v '^#' packaging/test/wine-skip.txt | paste -sd'|')
cp -r docs "$place/docs"
for room in ${ROOMS:-logfile event crash secret queue archive watch control service}; do
	CGO_ENABLED=0 GOOS=windows GOFLAGS=-buildvcs=false go test -c -trimpath -o "$place/$room.test.exe" "./internal/$room"
	mkdir -p "$place/internal" # some read their sources and the docs
	cp -r "internal/$room" "$place/internal/"
	if ! limit=520 at=$place/internal/$room w "$place/$room.test.exe" -test.short -test.timeout 500s -test.skip "$skip" >"$place/$room.log" 2>&1 </dev/null; then
		grep -E '^ *(--- FAIL|panic|FAIL)' -A6 "$place/$room.log" | head -40
		fail "the tests of $room under Wine"
	fi
	ok "the tests of $room"
	rm -rf "$place/internal" "$place/$room.test.exe"
done

# and of the daemon what is about access lists
CGO_ENABLED=0 GOOS=windows GOFLAGS=-buildvcs=false go test -c -trimpath -o "$place/daemon.test.exe" ./internal/daemon
w "$place/daemon.test.exe" -test.v -test.run '^TestDataDirIsClosed$' >"$place/daemon.log" 2>&1 </dev/null || fail "an open data folder: $(cat "$place/daemon.log")"
grep -q '^ *--- SKIP' "$place/daemon.log" && fail "an open data folder is not tested: $(cat "$place/daemon.log")"
rm -f "$place/daemon.test.exe"
ok "an open data folder is closed or refused"

# the exe: deliver
portal=127.0.0.1:$((20000 + RANDOM % 10000))
(umask 077 && printf 'x%.0s' {1..64} >"$place/portal.secret")
"$root/dist/stage/linux-amd64/brodaemon" sandbox --listen "$portal" --username u --password-file "$place/portal.secret" --set timeline=instant >"$place/portal.log" 2>&1 &
pids+=($!)
data=$c/ProgramData/brodaemon
mkdir -p "$data" "$c/bro/office"
cp "$place/portal.secret" "$data/office.secret" # with its mode, from which Wine makes the access list
cat >"$data/config.yaml" <<YAML
portal: { url: "http://$portal" }
tokens: [{ name: office, username: u, password_file: office.secret }]
folders:
  - { name: office, path: 'C:\bro\office', project: "1255", token: office, settle: 300ms, scan_interval: 1s }
retry: { first: 1s, max: 2s }
follow: { first: 200ms, max: 1s }
status: { listen: "127.0.0.1:0" }
YAML
cp "$exe" "$c/brodaemon.exe"
b() { limit=60 w 'C:\brodaemon.exe' "$@"; }
says windows/amd64 b version || fail "version: $(b version 2>&1)"
"${wine[@]}" 'C:\brodaemon.exe' run >"$place/run.log" 2>&1 &
running=$!
pids+=($running)
deliver() {
	document "$c/bro/office/$1" "$1-$RANDOM$RANDOM"
	until_true 60 "$1 is delivered" filed "$c/bro/office" "$1"
}
deliver one.xml
grep -q '"event": 100' "$data"/data/logs/brodaemon-*.log || fail "no event in the log file"
grep -q "$(printf 'x%.0s' {1..64})" "$data"/data/logs/* && fail "the secret is in the log"
# Wine now and then leaves the first caller of a pipe without an answer
answers() { limit=10 says office w 'C:\brodaemon.exe' status; }
until_true 60 "status over the named pipe" answers
ok "the log in dated files"

# another program holds the document: it waits, and is moved when it is let go
CGO_ENABLED=0 GOOS=windows GOFLAGS=-buildvcs=false go build -trimpath -o "$c/hold.exe" ./packaging/test/hold
document "$c/bro/office/held.xml" "held-$RANDOM$RANDOM"
"${wine[@]}" 'C:\hold.exe' 'C:\bro\office\held.xml' 6s >"$place/hold.log" 2>&1 &
until_true 10 "another program holds a document" grep -q holds "$place/hold.log"
sleep 3 # it settles meanwhile: what must not happen is that it goes to failed/
[ -e "$c/bro/office/held.xml" ] || fail "it was moved while another program held it"
[ -z "$(ls "$c/bro/office/failed" 2>/dev/null)" ] || fail "a document that another program held went to failed/"
until_true 60 "when it is let go it is delivered" filed "$c/bro/office" held.xml

# a viewer holds the log, which goes on; then a stop in good order
"${wine[@]}" 'C:\hold.exe' --read "$(basename "$(ls "$data"/data/logs/*.log | tail -1)" | sed 's/^/C:\\ProgramData\\brodaemon\\data\\logs\\/')" 5s >"$place/view.log" 2>&1 &
until_true 10 "a viewer holds the log" grep -q holds "$place/view.log"
deliver two.xml
grep -q two.xml "$data"/data/logs/*.log || fail "lines are missing while a viewer holds the log"
says bytes b backup 'C:\backup.tar' || fail "backup over the pipe"
ok "backup over the pipe"
kill "$running" # outright; that must be safe

until_true 20 "the program is gone" sh -c "! kill -0 $running"

# a folder by its UNC name, and a data folder deeper than 260 characters
mkdir -p "$WINEPREFIX/dosdevices/unc/srv" "$place/share/office"
ln -s "$place/share" "$WINEPREFIX/dosdevices/unc/srv/docs"
deep=$(printf '\\%s' long{1..6}-"$(printf 'd%.0s' {1..50})")
# config FILE DATA-FOLDER: with the folder on the share
elsewhere() {
	sed -e "s|path: 'C:.bro.office'|path: '\\\\\\\\srv\\\\docs\\\\office'|" "$data/config.yaml" >"$1"
	printf "data_dir: '%s'\n" "$2" >>"$1"
}
elsewhere "$data/share.yaml" "C:$deep"
grep -qF "path: '\\\\srv\\docs\\office'" "$data/share.yaml" || fail "this test writes: $(cat "$data/share.yaml")"
((${#deep} > 300)) || fail "the data folder's path is short: $deep"
"${wine[@]}" 'C:\brodaemon.exe' --config 'C:\ProgramData\brodaemon\share.yaml' run >"$place/share.log" 2>&1 &
running=$!
pids+=($running)
document "$place/share/office/far.xml" "far-$RANDOM$RANDOM"
until_true 60 "a document in a folder by its UNC name is delivered, the data folder being deep" filed "$place/share/office" far.xml
[ -e "$c${deep//\\//}/queue.db" ] && [ -n "$(ls "$c${deep//\\//}/logs")" ] || fail "the data folder is not where it should be: $deep"
kill "$running"
until_true 20 "the program is gone" sh -c "! kill -0 $running"
elsewhere "$data/share.yaml" '\\srv\docs\data'
rc=0
b --config 'C:\ProgramData\brodaemon\share.yaml' run >"$place/share.log" 2>&1 </dev/null || rc=$?
[ "$rc" = 78 ] && grep -q data_dir "$place/share.log" || fail "a data folder on a share: exit code $rc, $(cat "$place/share.log")"
[ ! -e "$place/share/data" ] || fail "the data folder was made on a share"
ok "a data folder on a share is refused"
rm "$data/share.yaml"

# the service, through the service manager
b service install >"$place/install.log" 2>&1 || fail "service install: $(cat "$place/install.log")"
says 'stopped' b service status || fail "service status: $(b service status 2>&1)"
b service start >"$place/start.log" 2>&1 || fail "service start: $(cat "$place/start.log")"
says 'running' b service status || fail "service status: $(b service status 2>&1)"
deliver three.xml
ok "as a service, started by the service manager"
b service restart || fail "service restart"
deliver four.xml
b service stop || fail "service stop"
says 'stopped' b service status || fail "after stop: $(b service status 2>&1)"
says '"event": 101' tail -n 3 "$data"/data/logs/*.log || fail "no orderly stop in the log"
echo "nonsense: 1" >>"$data/config.yaml"
# Wine's service manager sometimes answers "timeout" to a start that follows a stop at once
started=
faulty_is_told() {
	if b service start >"$place/start.log" 2>&1; then
		started=yes
		return 0
	fi
	grep -q 'code 78' "$place/start.log"
}
until_true 60 "a faulty configuration is told by service start (code 78)" faulty_is_told
[ -z "$started" ] || fail "it starts with a faulty configuration"
sed -i '/nonsense/d' "$data/config.yaml"
b service uninstall || fail "service uninstall"
says 'not installed' b service status || fail "after uninstall: $(b service status 2>&1)"
[ -e "$data/data/queue.db" ] || fail "the queue went with the service"
ok "service uninstall keeps configuration and data"

# the MSI
sum=$(sha256sum <"$data/config.yaml")
cp "$msi" "$c/old.msi"
packaging/msi.sh "$root/dist/stage" 99.0.0 "$c/new.msi"
w msiexec /i 'C:\old.msi' /qn /l*v 'C:\old.log' || fail "msiexec /i: $(tail -c 2000 "$c/old.log" | tr -d '\0')"
[ -e "$c/Program Files/brodaemon/brodaemon.exe" ] || fail "the MSI installs no program"
running() { says RUNNING w sc query brodaemon; }
until_true 20 "the MSI's service runs" running
[ "$(sha256sum <"$data/config.yaml")" = "$sum" ] || fail "the MSI changed the configuration"
[ -n "$(find "$c" -name 'brodaemon status.url')" ] || fail "no entry in the start menu"
deliver five.xml
w msiexec /i 'C:\new.msi' /qn /l*v 'C:\new.log' || fail "upgrade: $(tail -c 2000 "$c/new.log" | tr -d '\0')"
until_true 30 "after an upgrade it runs" running
[ "$(sha256sum <"$data/config.yaml")" = "$sum" ] || fail "the upgrade changed the configuration"
deliver six.xml
remembers() { limit=10 says five.xml w 'C:\Program Files\brodaemon\brodaemon.exe' queue list --state delivered; }
until_true 60 "after an upgrade the queue is there" remembers
w msiexec /x 'C:\new.msi' /qn || fail "msiexec /x"
says STATE w sc query brodaemon && fail "the removal left the service"
[ ! -e "$c/Program Files/brodaemon/brodaemon.exe" ] || fail "the removal left the program"
[ -e "$data/config.yaml" ] && [ -e "$data/data/queue.db" ] || fail "the removal took configuration or data"
ok "the MSI is upgraded and removed; configuration and data stay"

echo "$passed checks passed"
