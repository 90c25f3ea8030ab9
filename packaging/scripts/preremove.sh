#!/bin/sh
# Before a removal (deb: remove, rpm: 0). At an upgrade the old version works on
# until the new one takes its place.
set -e

case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac

if [ -d /run/systemd/system ]; then
	systemctl disable --now brodaemon.service || true
fi
under_way=$(ls /var/lib/brodaemon/spool 2>/dev/null | wc -l)
if [ "$under_way" -gt 0 ]; then
	echo "brodaemon: $under_way documents are under way. They, and the memory of what was delivered,"
	echo "stay in /var/lib/brodaemon and go on when brodaemon is installed again."
fi
