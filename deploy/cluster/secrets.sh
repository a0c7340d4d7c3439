#!/bin/sh
# Makes all that has to be secret between three NATS servers and Ringback, once, into a folder: an authority,
# two certificates, passwords, tokens. Needs openssl. To try things out; where there is an authority and a keeper
# of secrets already, they give the same files.
#   sh deploy/cluster/secrets.sh FOLDER [ORG]
set -eu
umask 077
folder=${1:?"usage: secrets.sh FOLDER [ORG]"}
org=${2:-local}
mkdir -p "$folder/nats"
cd "$folder"
test ! -e authority.key || { echo "secrets.sh: $folder has secrets already" >&2; exit 1; }

word() { openssl rand -hex 24; }

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

signed() { # file, name, alternative names
    key "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.request"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3" > "$1.names"
    openssl x509 -req -in "$1.request" -CA authority.crt -CAkey authority.key -CAcreateserial \
        -days 825 -extfile "$1.names" -out "$1.crt" 2> /dev/null
    rm "$1.request" "$1.names"
}

key authority.key
openssl req -x509 -new -key authority.key -days 3650 -subj "/CN=Ringback, to try things out" \
    -addext keyUsage=critical,keyCertSign,cRLSign -out authority.crt
signed nats/tls nats DNS:nats-0.nats,DNS:nats-1.nats,DNS:nats-2.nats,DNS:nats,DNS:localhost,IP:127.0.0.1
signed ringback ringback DNS:localhost,DNS:ringback,IP:127.0.0.1
cp authority.crt nats/ca.crt

between=$(word)
cat > nats/routes.conf <<END
authorization { user: "server", password: "$between", timeout: 5 }
routes: [
  "nats-route://server:$between@nats-0.nats:6222"
  "nats-route://server:$between@nats-1.nats:6222"
  "nats-route://server:$between@nats-2.nats:6222"
]
END
printf 'PASSWORD_SYS: "%s"\n' "$(word)" > nats/SYS.passwords.conf
for user in listen track serve alert all status setup; do
    word > "nats-$user"
    printf 'PASSWORD_%s: "%s"\n' "$(echo $user | tr a-z A-Z)" "$(cat "nats-$user")"
done > "nats/$org.passwords.conf"

word > operator-token
word > metrics-token
word > session-key
printf 'operator me %s\nmetrics prometheus %s\n' "$(cat operator-token)" "$(cat metrics-token)" > tokens

# Ringback's containers run as this one; without the right to give files away, `podman unshare` has it.
files="nats-* ringback.crt ringback.key authority.crt tokens session-key"
if [ "$(id -u)" = 0 ]; then
    chown 10001:10001 $files
else
    echo "secrets.sh: in $folder: podman unshare chown 10001:10001 $files" >&2
fi
