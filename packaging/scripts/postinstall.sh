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

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# only one that runs: the new version goes on where the old one stopped
	[ -z "$old" ] || systemctl try-restart brodaemon.service || true
fi
if [ -z "$old" ]; then
	echo "brodaemon is installed and does not run yet. Set the four marked lines in"
	echo "/etc/brodaemon/config.yaml, and then: systemctl enable --now brodaemon"
	echo "It runs as the account brodaemon, which needs access to the folders."
fi
