#!/usr/bin/env bash
# Made clip.mp4, with Debian's ffmpeg 5.1: six seconds of four flat colours in the corners, a white square that moves,
# and a soft tone. Colours that a test can find again in a screenshot; small enough to be kept here.
set -euo pipefail
cd "$(dirname "$0")"

colour() { echo "-f lavfi -i color=$1:size=160x90:rate=25:duration=6"; }
# shellcheck disable=SC2046 # each is several arguments
ffmpeg -v error -y $(colour 0xd62828) $(colour 0x2a9d3f) $(colour 0x1d4ed8) $(colour 0xf2b705) \
  -f lavfi -i color=white:size=12x12:rate=25:duration=6 \
  -f lavfi -i 'sine=frequency=330:sample_rate=44100:duration=6,volume=0.3' \
  -filter_complex "[0][1]hstack[top];[2][3]hstack[bottom];[top][bottom]vstack[corners];
    [corners][4]overlay=x='(W-w)*t/6':y='(H-h)/2',scale=out_color_matrix=bt709:out_range=tv,format=yuv420p[picture]" \
  -map '[picture]' -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv \
  -c:v libx264 -profile:v main -preset veryslow -crf 28 -g 50 -keyint_min 50 -sc_threshold 0 -bf 0 \
  -map 5:a -c:a aac -ac 1 -b:a 32k \
  -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact -movflags +faststart clip.mp4
