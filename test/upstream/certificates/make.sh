#!/bin/sh
# Makes the certificates of this folder: an authority of the tests alone, and what it signs.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
touch "$work/index"
cat > "$work/config" <<END
[ca]
default_ca = tests
[tests]
database = $work/index
new_certs_dir = $work
default_md = sha256
policy = names
rand_serial = yes
unique_subject = no
[names]
commonName = supplied
[authority]
basicConstraints = critical, CA:true
END
sign() { # name, subject alternative name or authority, last day, how it is signed
  name=$1 kind=$2 end=$3
  shift 3
  openssl ecparam -name prime256v1 -genkey -noout -out "$name.key.pem"
  openssl req -new -key "$name.key.pem" -subj "/CN=$name" -config "$work/config" -out "$work/request"
  [ "$kind" = authority ] || printf '[server]\nsubjectAltName=%s\n' "$kind" > "$work/server"
  [ "$kind" = authority ] && set -- -extensions authority "$@" || set -- -extfile "$work/server" -extensions server "$@"
  openssl ca -batch -notext -config "$work/config" -startdate 20200101000000Z -enddate "$end" \
    -in "$work/request" -out "$name.pem" "$@"
}
by_authority() { sign "$1" "$2" "$3" -cert authority.pem -keyfile authority.key.pem; }
sign authority authority 21200101000000Z -selfsign -keyfile authority.key.pem
by_authority good IP:127.0.0.1 21200101000000Z
by_authority other-name DNS:other.example 21200101000000Z
by_authority expired IP:127.0.0.1 20200201000000Z
sign self-signed IP:127.0.0.1 21200101000000Z -selfsign -keyfile self-signed.key.pem
rm authority.key.pem
