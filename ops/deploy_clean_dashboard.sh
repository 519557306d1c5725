#!/usr/bin/env bash
# Put the board into Grafana, in place of whatever is there under its uid, and print the uid.
#
#   GRAFANA_URL=https://grafana.example.com ops/deploy_clean_dashboard.sh [BOARD.json]
#
# The key comes from GRAFANA_API_KEY, ops/.grafana_api_key or ~/.config/rps/grafana_api_key, the first that
# is there. GRAFANA_FOLDER_UID names a folder; without it the board goes to the top.
set +x # a trace would print the key
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=${GRAFANA_URL:-http://localhost:3000}
url=${url%/}
board=${1:-$here/grafana-dashboard.json}
key_files=("$here/.grafana_api_key" "${HOME:-}/.config/rps/grafana_api_key")

fail() {
    printf 'deploy_clean_dashboard: %s\n' "$1" >&2
    exit "${2:-1}"
}

read_key() {
    local file
    if [[ -n ${GRAFANA_API_KEY:-} ]]; then
        printf '%s' "$GRAFANA_API_KEY"
        return
    fi
    for file in "${key_files[@]}"; do
        if [[ -s $file ]]; then
            tr -d '[:space:]' <"$file"
            return
        fi
    done
}

# One string field of a JSON answer, without asking for jq.
field() {
    sed -nE 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*"([^"]*)".*/\1/p' "$2" | head -n 1
}

[[ -r $board ]] || fail "there is no board at $board; rps dashboard writes it" 2
key=$(read_key)
[[ -n $key ]] || fail "no key: set GRAFANA_API_KEY, or put it into ${key_files[0]} or ${key_files[1]}" 2
[[ $key =~ ^[A-Za-z0-9._~+/=-]+$ ]] || fail "the key holds characters that no key has" 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

{
    printf '{"overwrite":true,"message":"deploy_clean_dashboard",'
    [[ -z ${GRAFANA_FOLDER_UID:-} ]] || printf '"folderUid":"%s",' "$GRAFANA_FOLDER_UID"
    printf '"dashboard":'
    cat "$board"
    printf '}'
} >"$work/body"

# The header goes through a pipe: as an argument it would stand in the process list.
status=$(printf 'header = "Authorization: Bearer %s"\n' "$key" |
    curl --config - --silent --show-error --max-time 30 --output "$work/answer" --write-out '%{http_code}' \
        --header 'Content-Type: application/json' --data-binary "@$work/body" "$url/api/dashboards/db") ||
    fail "no answer from $url"

case $status in
    200) ;;
    401) fail "Grafana refuses the key (401): make a fresh one (Administration, Service accounts, Add token)" ;;
    403) fail "the key may not write dashboards (403): its service account needs the role Editor" ;;
    404) fail "there is no Grafana API at $url (404)" ;;
    412) fail "Grafana keeps this board from being overwritten (412): is it provisioned from a file?" ;;
    *) fail "Grafana answered $status: $(field message "$work/answer")" ;;
esac

uid=$(field uid "$work/answer")
[[ -n $uid ]] || fail "Grafana's answer names no uid"
printf '%s\n' "$uid"
printf '%s%s\n' "$url" "$(field url "$work/answer")" >&2
