#!/bin/sh
# After an installation or upgrade. deb says "configure" with the old version, if
# there was one; rpm says how many versions are installed now.
set -e

case "$1" in
configure) old=$2 ;;
abort-*) exit 0 ;;
1) old= ;;
*) old=some ;;
esac

if ! getent passwd brodaemon >/dev/null; then
	useradd --system --user-group --no-create-home --home-dir /var/lib/brodaemon --shell /usr/sbin/nologin --comment brodaemon brodaemon
fi
# the configuration is read by the service and nobody else: it names accounts and servers
chown root:brodaemon /etc/brodaemon
chmod 0750 /etc/brodaemon
if [ -z "$old" ] && [ -e /etc/brodaemon/config.yaml ]; then
	chown root:brodaemon /etc/brodaemon/config.yaml
	chmod 0640 /etc/brodaemon/config.yaml
fi

# made here and not by the first start, so that `token set` and `doctor --as-service`
# before it know whose it is
[ -e /var/lib/brodaemon ] || install -d -o brodaemon -g brodaemon -m 0700 /var/lib/brodaemon

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# only one that runs: the new version goes on where the old one stopped
	[ -z "$old" ] || systemctl try-restart brodaemon.service || true
fi
if [ -z "$old" ]; then
	echo "brodaemon is installed and does not run yet. Set the three lines marked >>> in"
	echo "/etc/brodaemon/config.yaml, give the account brodaemon access to the folders, and then:"
	echo "  brodaemon token set office; brodaemon doctor --as-service; systemctl enable --now brodaemon"
fi
