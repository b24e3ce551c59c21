#!/bin/sh
# Recipes with plain curl: run it beside an emulator, with its ADMIN_TOKEN if it has one.
#   EMULATOR_URL=http://127.0.0.1:8080 sh recipes.sh
set -eu

url=${EMULATOR_URL:-http://127.0.0.1:8080}
film='kid=b366360da82e9c6e0b0984002a362cf2&contentKey=00112233445566778899aabbccddeeff&rightsType=BuyToOwn&analogVideoOPL=0&compressedDigitalAudioOPL=0&compressedDigitalVideoOPL=0&uncompressedDigitalAudioOPL=0&uncompressedDigitalVideoOPL=0'
account='customerAuthenticator=201722,1ad8eed133edf43cbcc185f0236828ae&errorFormat=json'

# Stands for your storefront: play <viewer> [<parameters>].
play() { curl -sS "$url/hms/pr/token?$account&$film&cookie=$1${2:+&$2}"; }

# Stands for a player, with the answer of the storefront.
redeem() {
  token=$(printf %s "$1" | sed 's/.*"token":"\([^"]*\)".*/\1/')
  curl -sS "$url/hms/ck/rights/?ExpressPlayToken=$token" -d '{"kids":["s2Y2DagunG4LCYQAKjYs8g"]}'
}

# admin <method> <path> [<JSON>]: a refusal ends the script.
admin() {
  curl -sS --fail-with-body -X "$1" "$url/admin/api$2" -H 'content-type: application/json' \
    ${ADMIN_TOKEN:+-H "Authorization: Bearer $ADMIN_TOKEN"} ${3:+-d "$3"}
}

# Each test begins with the same balances, clock, faults, journal and log.
begin() {
  name=$1
  admin POST /reset
}

expect() {
  case $1 in
    *"$2"*) ;;
    *) echo "not ok - $name: $1 has no $2" >&2; exit 1 ;;
  esac
}

begin 'my token expired'
answer=$(play viewer-1 expirationTime=%2B60)
admin POST /clock/advance '{"seconds":61}' > /dev/null
expect "$(redeem "$answer")" '"code":-4010'
echo "ok - $name"

begin 'the credit ran out'
admin POST /faults '{"times":1,"effect":{"errorCode":-2019}}' > /dev/null
expect "$(play viewer-1)" '"code":-2019'
expect "$(play viewer-1)" '"token":'
echo "ok - $name"

begin 'the service is down'
admin PUT /faults '[{"effect":{"status":503,"retryAfter":120}}]' > /dev/null
expect "$(curl -sS -D - "$url/hms/pr/token?$account&$film")" 'retry-after: 120'
admin DELETE /faults
expect "$(play viewer-1)" '"token":'
echo "ok - $name"

begin 'what did my code send?'
play viewer-1 > /dev/null
admin POST /requests/verify '{"pattern":{"path":"/hms/pr/token","parameters":{"cookie":"viewer-1"},"status":200},"times":1}' > /dev/null
echo "ok - $name"
