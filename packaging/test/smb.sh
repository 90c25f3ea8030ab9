#!/usr/bin/env bash
# Kernel CIFS and NFS, as offices mount their shares: a User Mode Linux kernel with
# both, as an ordinary process, runs a file server, mounts it, and has brodaemon
# deliver from the mount: documents saved at the server's side (no event tells of
# them), the server killed and back, frozen and back. Needs root and Debian; makes what
# it needs. Not part of .ci/run: it takes minutes. Use: make smb.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "a kernel of its own needs root"
mkdir -p "$work"
need user-mode-linux debootstrap

system=${SMBROOT:-$work/fileserver}
if [ ! -x "$system/usr/sbin/smbd" ]; then
	debootstrap --variant=minbase --include=procps,iproute2,kmod,samba,cifs-utils,nfs-kernel-server,nfs-common \
		bookworm "$system" "$(mirror | head -1)" >"$work/fileserver.log" 2>&1 || skip "debootstrap failed: $(tail -1 "$work/fileserver.log")"
fi
modules=$(ls -d /usr/lib/uml/modules/* | tail -1)
mkdir -p "$system/lib/modules"
cp -a "$modules" "$system/lib/modules/"
chroot "$system" depmod "$(basename "$modules")"

CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$system/root/brodaemon" ./cmd/brodaemon
for n in 1 2 3; do document "$system/root/$n.xml" "put $n"; done

cat >"$system/root/smb.conf" <<'CONF'
[global]
server role = standalone server
interfaces = 127.0.0.1/8
bind interfaces only = yes
smb ports = 14450
disable netbios = yes
map to guest = Bad User
guest account = root
state directory = /run/smb
cache directory = /run/smb
lock directory = /run/smb
pid directory = /run/smb
private dir = /run/smb
ncalrpc dir = /run/smb/ncalrpc
[docs]
path = /tmp/share
guest ok = yes
read only = no
force user = root
CONF

# what runs inside, as the machine's first process; its results go to the console
cat >"$system/test.sh" <<'INSIDE'
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
for dir in /run /tmp /var/lib/nfs; do mount -t tmpfs tmpfs $dir; done
ip link set lo up
mkdir -p /run/smb/ncalrpc /tmp/share /tmp/mount /tmp/portal
end() { echo "$*"; echo o >/proc/sysrq-trigger; sleep 60; }
until_true() { # SECONDS WHAT COMMAND…
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || { cat /tmp/daemon.log; end "FAILED not in time: $kind: $what"; }
		sleep 0.5
	done
	echo "ok   $kind: $what"
}
filed() { compgen -G "/tmp/share/office/done/*/$1.receipt.json"; }
save() { cp "/root/$1.xml" "/tmp/share/office/$1.tmp" && mv "/tmp/share/office/$1.tmp" "/tmp/share/office/$1.xml"; } # at the server's side
condition() { /root/brodaemon --config /tmp/config.yaml status | grep -q "$1"; }
fine() { ! condition "can't be read"; }

kind=$1
case $kind in
cifs)
	modprobe cifs
	start() { smbd --foreground --no-process-group --debug-stdout --configfile=/root/smb.conf </dev/null >/tmp/smbd.log 2>&1 & server=$!; }
	stop() { kill -9 $(pgrep -P $server) $server; }
	freeze() { kill -STOP $(pgrep -P $server) $server; }
	thaw() { kill -CONT $server $(pgrep -P $server); }
	attach() { mount -t cifs //127.0.0.1/docs /tmp/mount -o port=14450,guest,vers=3.1.1,echo_interval=1,actimeo=1,soft; }
	;;
nfs)
	modprobe -a nfsd nfs nfsv4
	mount -t nfsd nfsd /proc/fs/nfsd
	mkdir -p /var/lib/nfs/v4recovery
	start() {
		rpc.mountd
		exportfs -o rw,no_root_squash,insecure,fsid=0,no_subtree_check 127.0.0.1:/tmp/share
		rpc.nfsd -N 3 -V 4.2 --host 127.0.0.1 4
	}
	stop() { rpc.nfsd 0; pkill rpc.mountd; }
	freeze() { stop; } # a server of the kernel can't be frozen
	thaw() { start; }
	attach() { mount -t nfs4 -o soft,timeo=20,retrans=1,actimeo=1 127.0.0.1:/ /tmp/mount; }
	;;
esac
mkdir /tmp/share/office
start
until_true 60 "the share is mounted" attach
echo secret >/tmp/secret
chmod 600 /tmp/secret
cat >/tmp/config.yaml <<CONF
data_dir: /tmp/data
language: en
portal: { url: "http://127.0.0.1:8790" }
tokens: [{ name: t, username: u, password_file: secret }]
folders: [{ name: office, path: /tmp/mount/office, project: "1255", token: t, settle: 1s, scan_interval: 2s }]
retry: { first: 1s, max: 5s }
follow: { first: 1s, max: 2s }
status: { listen: "" }
CONF
/root/brodaemon sandbox --username u --password-file /tmp/secret --set timeline=instant >/tmp/portal.log 2>&1 &
/root/brodaemon --config /tmp/config.yaml run >/tmp/daemon.log 2>&1 &
daemon=$!
save 1
until_true 90 "a document saved at the server is delivered, without an event" filed 1.xml
until_true 30 "status says that the folder is polled" sh -c '/root/brodaemon --config /tmp/config.yaml status --json | grep -q "\"events\": *false"'
stop
until_true 150 "the server is killed: the folder is offline" condition "can't be read"
start
save 2
until_true 150 "it is back: what was saved meanwhile is delivered, without a restart" filed 2.xml
freeze
until_true 200 "the server does not answer: the folder is offline" condition "can't be read"
thaw
save 3
until_true 200 "it answers again: delivered" filed 3.xml
until_true 60 "nothing needs attention" fine
freeze
sleep 3
began=$SECONDS
kill -TERM $daemon
until_true 20 "while it does not answer, stopping takes less than 20 s" sh -c "! kill -0 $daemon"
echo "     stopped after $((SECONDS - began)) s"
end "$kind: all shown"
INSIDE
chmod 755 "$system/test.sh"

for kind in cifs nfs; do
	out=$work/$kind.out
	timeout 900 linux.uml mem=768M root=/dev/root rootfstype=hostfs rootflags="$system" rw init=/test.sh con=null con0=fd:0,fd:1 quiet -- "$kind" </dev/null >"$out" 2>&1 || true
	sed 's/\r$//' "$out" | grep -aE '^(ok  |     |FAILED)' || true
	grep -qa "$kind: all shown" "$out" || fail "$kind: $(tail -n 40 "$out")"
	passed=$((passed + $(grep -ac '^ok  ' "$out")))
done
echo "$passed checks passed"
