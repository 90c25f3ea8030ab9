#!/usr/bin/env bash
# Lives the lives of the rpm, of the program that installs itself from the archive,
# and of the deb in a machine of its own (systemd-nspawn): the last is
# install, ready, deliver, kill -9, faulty configuration, reload, credential, hang and
# watchdog, crash, upgrade, backup, removal, purge. Needs root and Debian; makes what
# it needs with debootstrap. Use: packaging/test/systemd.sh, after make packages.
# ROOTFS=DIR uses a prepared root file system (bookworm with systemd) as the base.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "a machine of its own needs root"
mkdir -p "$work"
need systemd-container debootstrap systemd rpm
deb=$(ls "$root"/dist/packages/*amd64.deb 2>/dev/null | head -1 || true)
rpm=$(ls "$root"/dist/packages/*x86_64.rpm 2>/dev/null | head -1 || true)
[ -n "$deb" ] && [ -n "$rpm" ] || fail "no deb or rpm in dist/packages: run make packages first"

base=${ROOTFS:-$work/bookworm}
if [ ! -x "$base/usr/lib/systemd/systemd" ]; then
	debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,procps,ca-certificates bookworm "$base" "$(mirror | head -1)" >"$work/debootstrap.log" 2>&1 ||
		skip "debootstrap failed: $(tail -1 "$work/debootstrap.log")"
fi
machine=$work/machine-$$
cp -a "$base" "$machine"
nspawn=
finish() {
	local rc=$?
	if [ -n "${leader:-}" ] && [ $rc != 0 ]; then
		m journalctl --no-pager -n 60 -u brodaemon -u portal 2>/dev/null || true
	fi
	[ -z "${leader:-}" ] || kill -KILL "$leader" 2>/dev/null || true
	[ -z "$nspawn" ] || wait "$nspawn" 2>/dev/null || true
	rm -rf --one-file-system "$machine"
	exit $rc
}
trap finish EXIT

CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -tags testhooks -ldflags "-X main.version=hooks" -o "$machine/root/brodaemon-hooks" ./cmd/brodaemon
cp "$deb" "$machine/root/old.deb"
mkdir -p "$work/newer"
(
	export VERSION=99.0.0 ARCH=amd64 STAGE=$root/dist/stage/linux-amd64 MANUAL=$root/dist/stage/manual SHARED=$root/dist/stage/shared
	for kind in deb rpm; do
		"${TOOLS:-$root/.tools}/nfpm" package --config packaging/nfpm.yaml --packager $kind --target "$work/newer/" >/dev/null
	done
)
cp "$work"/newer/*amd64.deb "$machine/root/new.deb"

# the rpm, with its scripts, before the machine runs: install, verify, upgrade, erase
r() { rpm --root "$machine" "$@" >"$work/rpm.log" 2>&1 || fail "rpm $*: $(cat "$work/rpm.log")"; }
owner() { chroot "$machine" stat -c '%U:%G %a' "$1"; }
r --initdb
r -i --nodeps "$rpm" # it names packages of other distributions
[ "$(owner /etc/brodaemon/config.yaml)" = "root:brodaemon 640" ] || fail "rpm: the configuration is $(owner /etc/brodaemon/config.yaml)"
says brodaemon chroot "$machine" /usr/bin/brodaemon version || fail "rpm: the program does not run"
[ -e "$machine/usr/lib/systemd/system/brodaemon.service" ] || fail "rpm: no unit"
r -V --nodeps --nogroup --nomode brodaemon # a script gives the configuration to the account, which it made
echo "# of the office" >>"$machine/etc/brodaemon/config.yaml"
[ "$(owner /var/lib/brodaemon)" = "brodaemon:brodaemon 700" ] || fail "rpm: the data folder is $(owner /var/lib/brodaemon)"
mkdir "$machine/var/lib/brodaemon/spool"
touch "$machine/var/lib/brodaemon/spool/1-x.xml"
r -U --nodeps "$work"/newer/*x86_64.rpm
grep -q 'of the office' "$machine/etc/brodaemon/config.yaml" || fail "rpm: the upgrade changed the configuration"
[ "$(owner /etc/brodaemon/config.yaml)" = "root:brodaemon 640" ] || fail "rpm: after an upgrade the configuration is $(owner /etc/brodaemon/config.yaml)"
[ "$(rpm --root "$machine" -q brodaemon | wc -l)" = 1 ] || fail "rpm: two versions"
r -e --nodeps brodaemon
grep -q '1 documents are under way' "$work/rpm.log" || fail "rpm: the removal does not tell of the document: $(cat "$work/rpm.log")"
[ ! -e "$machine/usr/bin/brodaemon" ] || fail "rpm: the removal left the program"
[ -e "$machine/var/lib/brodaemon/spool/1-x.xml" ] || fail "rpm: the removal took data"
grep -q 'of the office' "$machine/etc/brodaemon/config.yaml.rpmsave" || fail "rpm: the removal took the configuration"
chroot "$machine" userdel brodaemon 2>/dev/null
rm -rf "$machine/var/lib/brodaemon" "$machine/etc/brodaemon" "$machine/var/lib/rpm"
ok "the rpm: install, verify, upgrade, erase; configuration and data stay"

systemd-nspawn -q -b -D "$machine" --private-network --register=no --keep-unit --machine="brodaemon-$$" --console=pipe </dev/null >"$work/console.log" 2>&1 &
nspawn=$!
find_leader() { leader=$(pgrep -P "$nspawn" | head -1) && [ -n "$leader" ]; }
until_true 20 "the machine is started" find_leader
m() { nsenter -t "$leader" -a -- "$@"; }
booted() { says 'running\|degraded' m systemctl is-system-running; }
until_true 90 "its systemd is up" booted

# the archive's program, which installs itself as a service; folders in an unusual place
portal() { m systemd-run -q --unit=portal "$1" sandbox --username u --password-file /root/portal.secret --set timeline=instant; }
secret=$(printf 'x%.0s' {1..64})
(umask 077 && printf %s "$secret" >"$machine/root/portal.secret")
mkdir -p "$machine/opt/brodaemon"
tar -xzf "$(ls "$root"/dist/packages/*-linux-amd64.tar.gz | head -1)" -C "$machine/opt/brodaemon" --strip-components=1
b() { m /opt/brodaemon/brodaemon "$@"; }
b service status >"$work/service.log" 2>&1 && fail "a service that is not there runs"
grep -q 'not installed' "$work/service.log" || fail "service status: $(cat "$work/service.log")"
b service start >"$work/service.log" 2>&1 && fail "what is not installed is started"
portal /opt/brodaemon/brodaemon
mkdir -p "$machine/etc/brodaemon" "$machine/data/bro/office"
cat >"$machine/etc/brodaemon/config.yaml" <<YAML
portal: { url: "http://127.0.0.1:8790" }
tokens: [{ name: office, username: u }]
folders:
  - { name: office, path: /data/bro/office, project: "1255", token: office, settle: 300ms, scan_interval: 1s }
retry: { first: 1s, max: 2s }
follow: { first: 200ms, max: 1s }
YAML
b service install >"$work/service.log" 2>&1 || fail "service install: $(cat "$work/service.log")"
m chown -R brodaemon: /data/bro/office || fail "service install made no account: $(cat "$work/service.log")"
says 'ReadWritePaths=-/data/bro/office' m cat /etc/systemd/system/brodaemon.service.d/brodaemon-install.conf || fail "no way to the folder: $(cat "$work/service.log")"
b service install >"$work/service.log" 2>&1 && fail "it is installed twice"
[ "$(m systemctl is-active brodaemon || true)" = inactive ] || fail "service install started it"
b token set office <"$machine/root/portal.secret" >"$work/token.log" 2>&1 || fail "token set: $(cat "$work/token.log")"
grep -q 'must run as' "$work/token.log" && fail "token set before the first start: $(cat "$work/token.log")"
b doctor --as-service >"$work/doctor.log" 2>&1 || fail "doctor before the first start: $(cat "$work/doctor.log")"
ok "the secret is stored and doctor is content before the first start"
b service start >"$work/service.log" 2>&1 || fail "service start: $(cat "$work/service.log") $(m journalctl -u brodaemon -n 20 --no-pager)"
says 'active (running), process .*, account brodaemon' b service status || fail "service status: $(b service status)"
document "$machine/data/bro/office/zero.xml" "zero-$RANDOM$RANDOM"
until_true 60 "a service that the program installed delivers from a folder elsewhere" filed "$machine/data/bro/office" zero.xml
b doctor --as-service >"$work/doctor.log" 2>&1 || fail "doctor --as-service: $(cat "$work/doctor.log")"
grep -q brodaemon "$work/doctor.log" && ! grep -q 'root' "$work/doctor.log" || fail "doctor checked as somebody else: $(cat "$work/doctor.log")"
ok "doctor --as-service checks as the account brodaemon"
pid=$(m systemctl show -P MainPID brodaemon)
b service restart || fail "service restart"
[ "$(m systemctl show -P MainPID brodaemon)" != "$pid" ] || fail "service restart did nothing"
b service stop || fail "service stop"
b service status >"$work/service.log" 2>&1 && fail "stopped, but: $(cat "$work/service.log")"
[ "$(m systemctl show -P Result brodaemon)" = success ] || fail "the stop was no good one: $(m systemctl show -P Result brodaemon)"
b service uninstall >"$work/service.log" 2>&1 || fail "service uninstall: $(cat "$work/service.log")"
[ -z "$(m sh -c 'ls -d /etc/systemd/system/brodaemon* /etc/systemd/system/*/brodaemon* 2>/dev/null')" ] || fail "service uninstall left $(m sh -c 'ls -d /etc/systemd/system/brodaemon* /etc/systemd/system/*/brodaemon*')"
[ -e "$machine/var/lib/brodaemon/queue.db" ] && [ -e "$machine/etc/brodaemon/config.yaml" ] || fail "service uninstall took data or configuration"
says 'not installed' b service status || fail "after uninstall: $(b service status 2>&1)"
ok "service install, start, status, restart, stop, uninstall"
m sh -c 'systemctl stop portal; userdel brodaemon; rm -rf /var/lib/brodaemon /var/log/brodaemon /etc/brodaemon /opt/brodaemon /data; systemctl reset-failed' 2>/dev/null || true

# install: there, and not running
m dpkg -i /root/old.deb >"$work/dpkg.log" 2>&1 || fail "dpkg -i: $(cat "$work/dpkg.log")"
[ "$(m systemctl is-active brodaemon || true)" = inactive ] || fail "it runs before it is configured"
m getent passwd brodaemon >/dev/null || fail "no account"
[ "$(m stat -c '%U:%G %a' /etc/brodaemon/config.yaml)" = "root:brodaemon 640" ] || fail "mode of the configuration: $(m stat -c '%U:%G %a' /etc/brodaemon/config.yaml)"
[ "$(m stat -c '%U:%G %a' /var/lib/brodaemon)" = "brodaemon:brodaemon 700" ] || fail "the data folder: $(m stat -c '%U:%G %a' /var/lib/brodaemon)"
ok "installed, with an account of its own, and not started"
says brodaemon.service: m systemd-analyze verify --man=no /usr/lib/systemd/system/brodaemon.service && fail "systemd-analyze verify has remarks"
exposure=$(m systemd-analyze security --offline=yes --threshold=20 /usr/lib/systemd/system/brodaemon.service | tail -1) || fail "exposure: $exposure"
ok "systemd-analyze verify and security:${exposure#*:}"
m man -w brodaemon >/dev/null 2>&1 || [ -e "$machine/usr/share/man/man1/brodaemon.1.gz" ] || fail "no manual page"

# a portal, a folder, a configuration
m sh -c "printf %s $secret >/etc/brodaemon/office.secret; chown brodaemon: /etc/brodaemon/office.secret; chmod 600 /etc/brodaemon/office.secret
	mkdir -p /srv/bro/office /mnt/late /etc/brodaemon/credentials; chown brodaemon: /srv/bro/office
	printf %s $secret >/etc/brodaemon/credentials/office; chmod 600 /etc/brodaemon/credentials/office"
portal /usr/bin/brodaemon
config() { # EXTRA-FOLDER-LINES PASSWORD-FILE
	cat >"$machine/etc/brodaemon/config.yaml" <<YAML
portal: { url: "http://127.0.0.1:8790" }
tokens: [{ name: office, username: u, password_file: "$2" }]
folders:
  - { name: office, path: /srv/bro/office, project: "1255", token: office, settle: 300ms, scan_interval: 1s }
$1
retry: { first: 1s, max: 2s }
follow: { first: 200ms, max: 1s }
YAML
}
config "" /etc/brodaemon/office.secret
m systemctl enable -q --now brodaemon || fail "start: $(m journalctl -u brodaemon -n 20 --no-pager)"
says '^watches 1 folder' m systemctl show -P StatusText brodaemon || fail "ready, but: $(m systemctl show -P StatusText brodaemon)"
ok "ready means: $(m systemctl show -P StatusText brodaemon)"
deliver() { # FOLDER NAME
	document "$machine$1/$2" "$2-$RANDOM$RANDOM"
	until_true 60 "$2 is delivered from $1" filed "$machine$1" "$2"
}
deliver /srv/bro/office one.xml
m brodaemon status >/dev/null || fail "status as root"
says '"event": 100' m journalctl -u brodaemon -o cat --no-pager || fail "no event 100 in the journal"
[ "$(m journalctl -u brodaemon -p err --no-pager -o cat | wc -l)" = 0 ] || fail "errors in the journal: $(m journalctl -u brodaemon -p err -o cat)"
says '^<' m journalctl -u brodaemon -o cat --no-pager && fail "priorities are not understood by the journal"
says "$secret" m journalctl --no-pager && fail "the secret is in the journal"
ok "the journal has the events, with priorities, and no secret"

# killed outright
restarts() { m systemctl show -P NRestarts brodaemon; }
more_restarts() { [ "$(restarts)" -gt "$1" ] && [ "$(m systemctl is-active brodaemon)" = active ]; }
m mkdir -p /run/systemd/system/brodaemon.service.d
m sh -c 'printf "[Service]\nRestartSec=1\n" >/run/systemd/system/brodaemon.service.d/quick.conf; systemctl daemon-reload'
before=$(restarts)
m systemctl kill -s KILL brodaemon
until_true 30 "killed with SIGKILL, it is started again" more_restarts "$before"
deliver /srv/bro/office two.xml

# a share that is mounted after the start, and a reload
config "  - { name: late, path: /mnt/late/inbox, project: '1255', token: office, settle: 300ms, scan_interval: 1s }" /etc/brodaemon/office.secret
pid=$(m systemctl show -P MainPID brodaemon)
m systemctl reload brodaemon || fail "reload"
m mount -t tmpfs tmpfs /mnt/late
m sh -c 'mkdir /mnt/late/inbox; chown brodaemon: /mnt/late/inbox'
late() { m sh -c "ls /mnt/late/inbox/done/*/late.xml.receipt.json"; }
document "$work/late.xml" "late-$RANDOM$RANDOM"
m sh -c 'cat >/mnt/late/inbox/late.part && chown brodaemon: /mnt/late/inbox/late.part && mv /mnt/late/inbox/late.part /mnt/late/inbox/late.xml' <"$work/late.xml"
until_true 60 "after a reload a share that was mounted late is served" late
[ "$(m systemctl show -P MainPID brodaemon)" = "$pid" ] || fail "the reload was a restart"
echo "nonsense: 1" >>"$machine/etc/brodaemon/config.yaml"
m systemctl reload brodaemon 2>/dev/null && fail "a faulty configuration was taken over"
[ "$(m systemctl is-active brodaemon)" = active ] || fail "a faulty configuration ended the service"
ok "a faulty configuration is refused at a reload, and the service works on"

# and at a start it is not tried over and over
before=$(restarts)
m systemctl restart brodaemon 2>/dev/null && fail "a faulty configuration starts"
sleep 3 # longer than RestartSec: what must not happen
[ "$(m systemctl show -P ExecMainStatus brodaemon)" = 78 ] || fail "exit status $(m systemctl show -P ExecMainStatus brodaemon)"
[ "$(m systemctl is-active brodaemon || true)" = failed ] || fail "it is $(m systemctl is-active brodaemon)"
ok "a faulty configuration ends with 78 and is not tried again"

# the secret as a credential
config "" ""
m mkdir -p /etc/systemd/system/brodaemon.service.d
m sh -c 'printf "[Service]\nLoadCredential=brodaemon.office:/etc/brodaemon/credentials/office\n" >/etc/systemd/system/brodaemon.service.d/credentials.conf; rm /etc/brodaemon/office.secret; systemctl daemon-reload; systemctl restart brodaemon'
deliver /srv/bro/office three.xml
ok "the secret came as a credential"

# a backup while it runs
m brodaemon backup /root/backup.tar >/dev/null || fail "backup"
says '^data/queue.db$' m tar -tf /root/backup.tar || fail "no queue in the backup"
ok "backup while it runs"

# hang, watchdog; crash
m sh -ec 'systemctl stop brodaemon; cp /usr/bin/brodaemon /root/brodaemon-real; cp /root/brodaemon-hooks /usr/bin/new; mv /usr/bin/new /usr/bin/brodaemon # the portal runs the old one
	printf "[Service]\nRestartSec=1\nWatchdogSec=6\n" >/run/systemd/system/brodaemon.service.d/quick.conf; systemctl daemon-reload; systemctl start brodaemon'
sleep 8 # longer than the watchdog waits: an idle service must live
[ "$(restarts)" = 0 ] || fail "an idle service was restarted"
ok "an idle service is left alone by the watchdog"
m touch /var/lib/brodaemon/hang
document "$machine/srv/bro/office/four.xml" "four-$RANDOM$RANDOM"
watchdog() { says 'Watchdog timeout' m journalctl -u brodaemon --no-pager; }
until_true 40 "a queue that stands still: systemd's watchdog acts" watchdog
m rm -f /var/lib/brodaemon/hang
until_true 60 "it is started again" more_restarts 0
until_true 60 "and delivers what was under way" filed "$machine/srv/bro/office" four.xml
crashed() { says "$1.*\"event\": 105" m journalctl -u brodaemon -o cat --no-pager; }
until_true 10 "the hang is told of as a crash (event 105)" crashed SIGABRT
before=$(restarts)
m touch /var/lib/brodaemon/panic
document "$machine/srv/bro/office/five.xml" "five-$RANDOM$RANDOM"
until_true 30 "a panic: it is started again" more_restarts "$before"
until_true 60 "and delivers what was under way" filed "$machine/srv/bro/office" five.xml
until_true 10 "the panic is told of (event 105)" crashed 'panic: asked for by a test'
says 'crashed on' m brodaemon status || fail "status has no condition for the crash"
m sh -ec 'systemctl stop brodaemon; cp /root/brodaemon-real /usr/bin/new; mv /usr/bin/new /usr/bin/brodaemon; systemctl start brodaemon'

# upgrade
sum=$(sha256sum <"$machine/etc/brodaemon/config.yaml")
m dpkg -i /root/new.deb >"$work/dpkg.log" 2>&1 </dev/null || fail "upgrade: $(cat "$work/dpkg.log")"
[ "$(sha256sum <"$machine/etc/brodaemon/config.yaml")" = "$sum" ] || fail "the upgrade changed the configuration"
[ "$(m systemctl is-active brodaemon)" = active ] || fail "after the upgrade it is $(m systemctl is-active brodaemon)"
says one.xml m brodaemon queue list --state delivered || fail "the upgrade lost the queue"
deliver /srv/bro/office six.xml
ok "an upgrade keeps configuration and queue, and goes on"

# removal, and back
m systemctl stop portal
document "$machine/srv/bro/office/waiting.xml" "waiting-$RANDOM$RANDOM"
taken() { [ -n "$(m ls /var/lib/brodaemon/spool)" ]; }
until_true 30 "a document waits for the portal" taken
m dpkg -r brodaemon >"$work/dpkg.log" 2>&1 || fail "dpkg -r: $(cat "$work/dpkg.log")"
grep -q '1 documents are under way' "$work/dpkg.log" || fail "the removal does not tell of the document: $(cat "$work/dpkg.log")"
[ -e "$machine/var/lib/brodaemon/queue.db" ] && [ -e "$machine/etc/brodaemon/config.yaml" ] || fail "the removal took data or configuration"
ok "a removal keeps configuration and data, and tells what is under way"

# purge
m dpkg -P brodaemon >"$work/dpkg.log" 2>&1 || fail "dpkg -P: $(cat "$work/dpkg.log")"
grep -q WARNING "$work/dpkg.log" || fail "the purge does not warn: $(cat "$work/dpkg.log")"
compgen -G "$machine/var/backups/brodaemon-*/queue.db" >/dev/null || fail "the queue was not set aside"
[ ! -e "$machine/var/lib/brodaemon" ] && [ ! -e "$machine/etc/brodaemon" ] || fail "the purge left something"
m getent passwd brodaemon >/dev/null && fail "the purge left the account"
[ -e "$machine/srv/bro/office/waiting.xml" ] || fail "the document is gone"
ok "a purge warns, sets the queue of a document under way aside, and removes the rest"

m systemctl poweroff 2>/dev/null || true
echo "$passed checks passed"
