#!/bin/sh
# Delivers a test digest through a real Postfix with STARTTLS and AUTH into a Maildir, and reads it back.
# The server is strict: it wants a full name behind EHLO, and takes 50 recipients of the 200 at a time.
#
#   ci/postfix.sh [PROGRAM]        PROGRAM defaults to debug/llama-triage in cargo's target folder
#
# Needs root and apt-get. Everything it makes is in a temporary folder and on one loopback port;
# the machine's own Postfix, if any, is left alone.
set -eu

program=${1:-${CARGO_TARGET_DIR:-target}/debug/llama-triage}
case $program in /*) ;; *) program=$(pwd)/$program ;; esac
[ -x "$program" ] || { echo "no program at $program: cargo build" >&2; exit 1; }
port=${POSTFIX_PORT:-10587}

if ! command -v postfix >/dev/null || ! command -v dovecot >/dev/null || ! command -v python3 >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends \
        postfix dovecot-core openssl ca-certificates python3 >/dev/null
fi

dir=$(mktemp -d)
# Postfix's processes run as the user postfix and must be able to reach what is theirs.
chmod 755 "$dir"

finish() {
    code=$?
    postfix -c "$dir/conf" stop >/dev/null 2>&1 || true
    doveadm -c "$dir/dovecot.conf" stop >/dev/null 2>&1 || true
    if [ $code -ne 0 ]; then
        echo "--- Postfix and Dovecot said:" >&2
        cat "$dir"/log/*.log >&2 2>/dev/null || true
    fi
    rm -rf "$dir"
    exit $code
}
trap finish EXIT INT TERM

mkdir -p "$dir/conf" "$dir/queue" "$dir/data" "$dir/mail" "$dir/log"
uid=$(id -u postfix)
gid=$(id -g postfix)
chown postfix "$dir/data" "$dir/mail"

# A certificate authority for this run only, and the server's certificate.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=throw-away CA" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" \
    -keyout "$dir/server.key" -out "$dir/server.csr" 2>/dev/null
printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' >"$dir/server.ext"
openssl x509 -req -days 2 -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
    -extfile "$dir/server.ext" -out "$dir/server.pem" 2>/dev/null

# One user who may send. Dovecot (2.3) checks the password; Postfix asks it through a socket.
password=$(openssl rand -hex 16)
printf '%s\n' "$password" >"$dir/password"
chmod 600 "$dir/password"
printf 'triage@triage.test:{PLAIN}%s\n' "$password" >"$dir/users"
chown dovecot "$dir/users"
chmod 600 "$dir/users"
cat >"$dir/dovecot.conf" <<CONF
base_dir = $dir/dovecot
log_path = $dir/log/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login
passdb {
  driver = passwd-file
  args = $dir/users
}
userdb {
  driver = static
  args = uid=$uid gid=$gid home=$dir
}
service auth {
  unix_listener $dir/queue/private/auth {
    mode = 0600
    user = postfix
  }
}
CONF

cat >"$dir/conf/main.cf" <<CONF
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
maillog_file = $dir/log/postfix.log
maillog_file_prefixes = $dir
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
mynetworks =
virtual_mailbox_domains = triage.test
virtual_mailbox_base = $dir/mail
virtual_mailbox_maps = inline:{ { oncall@triage.test = oncall/ } } regexp:{ { /^person-[0-9]+@triage/ many/ } }
virtual_uid_maps = static:$uid
virtual_gid_maps = static:$gid
virtual_minimum_uid = 1
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = $dir/server.pem
smtpd_tls_key_file = $dir/server.key
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_helo_required = yes
smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname
smtpd_recipient_limit = 50
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_sasl_authenticated, reject
CONF
cat >"$dir/conf/master.cf" <<CONF
127.0.0.1:$port inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
virtual   unix - n n - - virtual
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
proxymap  unix - - n - - proxymap
postlog   unix-dgram n - n - 1 postlogd
CONF
postfix -c "$dir/conf" start 2>/dev/null
dovecot -c "$dir/dovecot.conf"

people=$(seq 200 | sed 's/.*/"The person number & <person-&@triage.test>",/')
echo not-the-password >"$dir/wrong"
cat >"$dir/config.toml" <<CONF
[ledger]
path = "$dir/ledger.db"

[[project]]
name = "prod"
api-key-file = "$dir/password"

[[channel]]
name = "postfix"
kind = "email"
from = "llama-triage <triage@triage.test>"
to = ["oncall@triage.test"]
smtp-host = "localhost"
smtp-port = $port
smtp-username = "triage@triage.test"
smtp-password-file = "$dir/password"

[[channel]]
name = "many"
kind = "email"
from = "llama-triage <triage@triage.test>"
to = [$people]
smtp-host = "localhost"
smtp-port = $port
smtp-username = "triage@triage.test"
smtp-password-file = "$dir/password"

[[channel]]
name = "short-name"
kind = "email"
from = "triage@triage.test"
to = ["oncall@triage.test", "person-1@triage.test", "person-2@triage.test"]
smtp-host = "localhost"
smtp-port = $port
smtp-hello = "vm"
smtp-username = "triage@triage.test"
smtp-password-file = "$dir/password"

[[channel]]
name = "wrong-password"
kind = "email"
from = "triage@triage.test"
to = ["oncall@triage.test"]
smtp-host = "localhost"
smtp-port = $port
smtp-username = "triage@triage.test"
smtp-password-file = "$dir/wrong"
CONF

# A server with an untrusted certificate gets nothing.
if "$program" --config "$dir/config.toml" notify test postfix >"$dir/untrusted" 2>&1; then
    echo "a certificate of an unknown authority was accepted" >&2
    exit 1
fi
grep -q certificate "$dir/untrusted"

export SSL_CERT_FILE="$dir/ca.pem"
if "$program" --config "$dir/config.toml" notify test wrong-password >"$dir/refused" 2>&1; then
    echo "a wrong password was accepted" >&2
    exit 1
fi
grep -q 535 "$dir/refused"
if grep -q "$password" "$dir/untrusted" "$dir/refused"; then
    echo "the password was shown" >&2
    exit 1
fi

# A short name is refused, and the refusal names the key that mends it, once for all recipients.
if "$program" --config "$dir/config.toml" notify test short-name >"$dir/short" 2>&1; then
    echo "a short name was accepted" >&2
    exit 1
fi
grep -q smtp-hello "$dir/short"
[ "$(grep -o 504 "$dir/short" | wc -l)" = 1 ] || { cat "$dir/short" >&2; exit 1; }

"$program" --config "$dir/config.toml" notify test postfix
"$program" --config "$dir/config.toml" notify test many

# Postfix has accepted it; its delivery to the Maildir follows within moments.
tries=0
until ls "$dir"/mail/oncall/new/* >/dev/null 2>&1 && [ "$(ls "$dir/mail/many/new" 2>/dev/null | wc -l)" = 200 ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || { echo "not all has arrived in the Maildirs" >&2; exit 1; }
    sleep 0.1
done

python3 - "$dir"/mail/oncall/new/* "$(ls -d "$dir"/mail/many/new/* | head -n 1)" <<'PYTHON'
import email, email.policy, sys

assert len(sys.argv) == 3, f"one mail expected, {len(sys.argv) - 2} came"
with open(sys.argv[2], "rb") as file:
    raw = file.read()
head = raw.split(b"\n\n")[0]
assert max(map(len, head.splitlines())) <= 200, "a long line"
people = email.message_from_bytes(raw, policy=email.policy.default)["To"].addresses
assert [one.addr_spec for one in people] == [f"person-{n}@triage.test" for n in range(1, 201)]
assert people[199].display_name == "The person number 200"
with open(sys.argv[1], "rb") as file:
    mail = email.message_from_binary_file(file, policy=email.policy.default)
assert not mail.defects, mail.defects
assert mail.get_content_type() == "multipart/alternative"
text, html = mail.iter_parts()
assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
for part in (text, html):
    assert not part.defects and part["Content-Transfer-Encoding"] == "quoted-printable"
    assert "test message" in part.get_content()
assert "llama-triage report group" in text.get_content()
assert html.get_content().rstrip().endswith("</html>")
assert mail["Subject"].startswith("[triage") and len(mail["Subject"]) <= 78, mail["Subject"]
assert mail["Auto-Submitted"] == "auto-generated"
assert mail["Message-ID"].endswith("@triage.test>")
assert mail["X-Triage-Digest"] and mail["List-Id"] and mail["X-Triage-Counts"]
assert "ESMTPSA" in mail["Received"], mail["Received"]
print("Postfix delivered:", mail["Subject"])
PYTHON
