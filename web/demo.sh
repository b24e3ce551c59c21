#!/usr/bin/env bash
# Made the demo clips: the clip of the browser tests, encrypted with the KID and the key of the published sample request,
# so that the page plays them with the token that it asks for by itself.
set -euo pipefail
cd "$(dirname "$0")/demo"

kid=b366360da82e9c6e0b0984002a362cf2
clear_key=e2719d58-a985-b3c9-781a-b030af78d30e
clip=../../test/browser/clip.mp4
for scheme in cenc cbcs; do
  mkdir -p $scheme
  ../../node_modules/shaka-packager/bin/packager-linux-x64 --quiet \
    "in=$clip,stream=video,output=$scheme/video.mp4" "in=$clip,stream=audio,output=$scheme/audio.mp4" \
    --enable_raw_key_encryption --keys "key_id=$kid:key=$kid" --protection_scheme $scheme \
    --clear_lead 0 --segment_duration 2 --mpd_output $scheme/manifest.mpd
  # dash.js throws at an MPD with the common system's pssh; the element of DASH-IF's Clear Key is what all players take.
  # The boxes in the media stay.
  perl -0pi -e 's{(<ContentProtection schemeIdUri="urn:uuid:)1077efec.*?</ContentProtection>}{$1'$clear_key'"/>}gs' \
    $scheme/manifest.mpd
done
