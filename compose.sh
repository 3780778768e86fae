#!/bin/bash
#
# compose.sh <words of docker compose> - compose with the settings of the environment that ENV names (envs/$ENV.env). It has
# no default: who stops or removes containers must have named what they act on.
set -eu
cd "$(dirname "$0")"

die() {
    echo "compose.sh: $*" >&2
    exit 2
}

[ -n "${ENV:-}" ] || die "ENV is not set: name the environment, as in ENV=local ./compose.sh ps (there is: $(cd envs && echo *.env | sed 's/\.env//g'))"
[[ $ENV =~ ^[a-z0-9_-]+$ ]] || die "ENV=$ENV is no name of an environment: a-z 0-9 _ -"
[ -e "envs/$ENV.env" ] || die "there is no envs/$ENV.env: copy one of envs/ and set what differs"
export ENV
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-trawl-$ENV}

if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
else
    die "neither docker compose nor docker-compose is installed: apt-get install docker-compose, or Docker's plugin"
fi
echo "compose.sh: environment $ENV, project $COMPOSE_PROJECT_NAME" >&2
exec "${compose[@]}" --env-file "envs/$ENV.env" "$@"
