#!/bin/sh
# After a removal nothing is left to do; configuration and data stay. Only deb's
# purge asks for them to go too.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
[ "$1" = purge ] || exit 0

data=/var/lib/brodaemon
under_way=$(ls "$data/spool" 2>/dev/null | wc -l)
if [ "$under_way" -gt 0 ]; then
	# Without this queue those documents, which still lie in their folders, would be
	# delivered a second time by a brodaemon that is installed later, and a double
	# registration can never be erased. So it is set aside instead.
	aside=/var/backups/brodaemon-$(date +%Y-%m-%dT%H%M%S)
	mkdir -p /var/backups
	mv "$data" "$aside"
	chown -R root:root "$aside"
	chmod 0700 "$aside"
	echo "WARNING: $under_way documents were still under way, some perhaps submitted already."
	echo "They still lie in their folders; brodaemon's memory of them was set aside in"
	echo "$aside. Look them up in the Bronhouderportaal before"
	echo "you deliver them again, and remove that folder when all is settled."
fi
rm -rf "$data" /var/log/brodaemon /etc/brodaemon /etc/systemd/system/brodaemon.service.d/brodaemon-install.conf
if getent passwd brodaemon >/dev/null; then
	userdel brodaemon 2>/dev/null || true
fi
