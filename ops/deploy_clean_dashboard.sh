#!/usr/bin/env bash
# Put the dashboard into Grafana, in place of the one that has its uid, and print the uid.
#
#   GRAFANA_URL=https://grafana.example.com ops/deploy_clean_dashboard.sh [--variant json|infinity|simpod] [DASHBOARD.json]
#
# The key comes from GRAFANA_API_KEY, the file GRAFANA_API_KEY_FILE, ops/.grafana_api_key or
# ~/.config/rps/grafana_api_key, the first that is there. GRAFANA_FOLDER_UID names a folder; without it the dashboard
# goes to the top. Without --variant, and without a DASHBOARD.json, Grafana is asked which plugin its data source
# rps-promotion-ledger is, and gets the dashboard for that one.
set +x # a trace would print the key
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=${GRAFANA_URL:-http://localhost:3000}
url=${url%/}
variant=
if [[ ${1:-} == --variant ]]; then
    variant=${2:-none}
    shift 2 || shift
fi
dashboard=${1:-}
key_files=("$here/.grafana_api_key" "${HOME:-}/.config/rps/grafana_api_key")
[[ -z ${GRAFANA_API_KEY_FILE:-} ]] || key_files=("$GRAFANA_API_KEY_FILE" "${key_files[@]}")

fail() {
    printf 'deploy_clean_dashboard: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Without the white space around it, which an editor or a copied line leaves there.
trimmed() {
    local text=$1
    text=${text#"${text%%[![:space:]]*}"}
    printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# The first place that holds more than white space.
read_key() {
    local file found
    found=$(trimmed "${GRAFANA_API_KEY:-}")
    for file in "${key_files[@]}"; do
        [[ -z $found && -r $file ]] || continue
        found=$(trimmed "$(<"$file")")
    done
    printf '%s' "$found"
}

# One string field of a JSON answer, without asking for jq. A server may repeat the key in what it says.
field() {
    local text
    text=$(sed -nE 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*"(([^"\\]|\\.)*)".*/\1/p' "$work/answer" | head -n 1)
    text=$(sed -E 's/\\(["\/])/\1/g' <<<"$text")
    printf '%s' "${text//"$key"/***}"
}

# The dashboard of a variant.
file_of() {
    case $1 in
        json) printf '%s' "$here/grafana-dashboard.json" ;;
        infinity | simpod) printf '%s' "$here/grafana-dashboard.$1.json" ;;
        *) fail "there is no variant $1: write json, infinity or simpod" 2 ;;
    esac
}

# The variant for the data source that is there. One that cannot be seen is what it was for years: JSON API.
find_variant() {
    local status
    status=$(printf 'header = "Authorization: Bearer %s"\n' "$key" |
        curl --config - --silent --max-time 30 --output "$work/answer" --write-out '%{http_code}' \
            "$url/api/datasources/uid/rps-promotion-ledger") || status=000
    case $status:$(field type) in
        200:yesoreyeram-infinity-datasource) printf infinity ;;
        200:simpod-json-datasource) printf simpod ;;
        200:marcusolsson-json-datasource) printf json ;;
        *)
            printf 'deploy_clean_dashboard: the data source rps-promotion-ledger cannot be seen (%s): taking JSON API; --variant names another\n' "$status" >&2
            printf json
            ;;
    esac
}

[[ -z $variant ]] || dashboard=$(file_of "$variant")
[[ -z ${GRAFANA_API_KEY_FILE:-} || -r $GRAFANA_API_KEY_FILE ]] || fail "cannot read GRAFANA_API_KEY_FILE=$GRAFANA_API_KEY_FILE" 2
key=$(read_key)
[[ -n $key ]] || fail "no key: set GRAFANA_API_KEY, or put it into ${key_files[0]} or ${key_files[1]}" 2
[[ $key =~ ^[A-Za-z0-9._~+/=-]+$ ]] || fail "the key holds characters that no key has" 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[[ -n $dashboard ]] || dashboard=$(file_of "$(find_variant)")
[[ -r $dashboard ]] || fail "there is no dashboard at $dashboard; rps dashboard writes it" 2

{
    printf '{"overwrite":true,"message":"deploy_clean_dashboard",'
    [[ -z ${GRAFANA_FOLDER_UID:-} ]] || printf '"folderUid":"%s",' "$GRAFANA_FOLDER_UID"
    printf '"dashboard":'
    cat "$dashboard"
    printf '}'
} >"$work/body"

# The header goes through a pipe: as an argument it would stand in the process list.
status=$(printf 'header = "Authorization: Bearer %s"\n' "$key" |
    curl --config - --silent --show-error --max-time 30 --output "$work/answer" --write-out '%{http_code}' \
        --header 'Content-Type: application/json' --data-binary "@$work/body" "$url/api/dashboards/db") ||
    fail "no answer from $url"

case $status in
    200) ;;
    400)
        message=$(field message)
        [[ $message != *provisioned* ]] ||
            fail "$message (400): Grafana takes this dashboard from a file, so put the new one there"
        fail "Grafana does not take the dashboard (400): $message"
        ;;
    401) fail "Grafana refuses the key (401): make a fresh one (Administration, Service accounts, Add token)" ;;
    403) fail "the key may not write dashboards (403): its service account needs the role Editor" ;;
    404) fail "there is no Grafana API at $url (404)" ;;
    412) fail "Grafana does not put the dashboard in another's place (412): $(field message)" ;;
    *) fail "Grafana answered $status: $(field message)" ;;
esac

uid=$(field uid)
[[ -n $uid ]] || fail "Grafana's answer names no uid"
printf '%s\n' "$uid"
printf '%s%s\n' "$url" "$(field url)" >&2
