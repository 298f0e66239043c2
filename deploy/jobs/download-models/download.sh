#!/bin/sh
# Downloads checkpoints into folders of a volume; what is there already is left as it is.
#     download.sh CHECKPOINTS VOLUME
# One that fails does not stop the others; the exit status then is 1, and the last line names it.
set -fu
checkpoints=$1
volume=$2
failed=''

while read -r folder repository weights; do
    case $folder in '' | '#'*) continue ;; esac
    echo "$folder: $repository"
    # Second copies of weights, in a numeric type or form that is not loaded, stay where they are.
    hf download "${repository%@*}" --revision "${repository#*@}" --local-dir "$volume/$folder" \
        --include '*.json' --include '*.txt' --include README.md --include "$weights" \
        --exclude '*.fp16.safetensors' --exclude '*.non_ema.safetensors' --exclude '*/openvino_*' </dev/null \
        || { failed="$failed $folder" && continue; }
    case $weights in *.bin)
        echo "$folder: pickled weights, of which deploy/jobs/convert-models makes safetensors"
        continue
        ;;
    esac
    if [ -z "$(find "$volume/$folder" -name '*.safetensors' -print | head -n 1)" ]; then
        echo "$folder: revision ${repository#*@} of ${repository%@*} has no safetensors" >&2
        failed="$failed $folder"
    fi
done <"$checkpoints"

[ -z "$failed" ] || { echo "Not downloaded:$failed" >&2 && exit 1; }
