#!/bin/sh
# Compute the shard of this pod's index; the pod that completes the last one joins them all.
#     SHARDS=4 JOB_COMPLETION_INDEX=0 sh calibrate.sh FOLDER
# FOLDER holds clips/ and gets voices/. A shard appears under its name once it is complete.
set -eu
folder=$1
number=$((JOB_COMPLETION_INDEX + 1))
shard=$folder/shards/$number
mkdir -p "$folder/shards"
if [ ! -d "$shard" ]; then
    rm -rf "$shard.unfinished"
    chladni-calibrate "$folder/clips" --out "$shard.unfinished" --name voices --shard "$number/$SHARDS" --quiet
    mv "$shard.unfinished" "$shard"
fi
set --
for number in $(seq "$SHARDS"); do
    [ -d "$folder/shards/$number" ] || exit 0
    set -- "$@" "$folder/shards/$number"
done
# Two pods may both join; the results are the same, and the first one stays.
[ ! -d "$folder/voices" ] || exit 0
unfinished=$folder/voices.$JOB_COMPLETION_INDEX.unfinished
rm -rf "$unfinished"
chladni-calibrate --merge "$@" --out "$unfinished" --name voices --quiet
mv -T "$unfinished" "$folder/voices" || [ -d "$folder/voices" ]
