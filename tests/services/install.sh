#!/bin/sh
# Installs the servers that the tests start, where it may (root on a Debian system), and otherwise names what is
# missing: the tests that need it are skipped, or fail with MAILKEEP_TEST_REQUIRE_SERVICES=1.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=""
while read -r command package; do
    command -v "$command" >/dev/null || missing="$missing $package"
done <<'LIST'
mariadbd mariadb-server
postfix postfix
redis-server redis-server
swaks swaks
curl curl
jq jq
chromium chromium
clamd clamav-daemon
strace strace
mkfs.ext4 e2fsprogs
mount mount
LIST
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make test: tests that need these are skipped:$missing (Debian: apt install$missing)" >&2
    exit 0
fi

# The tests run their own instances: no package may start a system service. Status 101 of policy-rc.d forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
echo "make test: installing$missing" >&2
if command -v debconf-set-selections >/dev/null; then
    echo "postfix postfix/main_mailer_type select Local only" | debconf-set-selections
fi
# Without a font Chromium lays out empty boxes.
# shellcheck disable=SC2086 # one word a package
if ! apt-get -qq update || ! apt-get -qq install -y --no-install-recommends $missing fonts-dejavu-core >/dev/null; then
    echo "make test: could not install them: the tests that need them are skipped" >&2
fi
