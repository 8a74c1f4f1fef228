#!/bin/sh
# A cluster whose workers share nothing with the build but a network: each in a network namespace of
# its own, with a folder of its own. Root, iproute2.
#
#     tests/benchmarks/dask_network.sh COMMAND...
#
# runs COMMAND with SEGUE_DASK set, such as
#
#     tests/benchmarks/dask_network.sh uv run segue build --direct --home /tmp/cluster
#
# and with KILL=SECONDS kills the first worker with -9 after so many seconds.
set -eu
bridge=segue-br address=10.173.0
dask=$(uv run --extra dask which dask)
cleared() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    for number in 1 2; do ip netns delete "segue-$number" 2>/dev/null || true; done
    ip link delete "$bridge" 2>/dev/null || true
    rm -rf "$scratch"
}
pids= scratch=$(mktemp -d)
trap cleared EXIT INT TERM

ip link add "$bridge" type bridge
ip address add "$address.254/24" dev "$bridge"
ip link set "$bridge" up
$dask scheduler --host "$address.254" --port 8786 --no-dashboard &
pids="$pids $!"
for number in 1 2; do
    ip netns add "segue-$number"
    ip link add "segue-v$number" type veth peer name eth0 netns "segue-$number"
    ip link set "segue-v$number" master "$bridge" up
    ip -n "segue-$number" address add "$address.$number/24" dev eth0
    ip -n "segue-$number" link set eth0 up
    ip -n "segue-$number" link set lo up
    mkdir "$scratch/$number"
    ip netns exec "segue-$number" $dask worker "tcp://$address.254:8786" --host "$address.$number" \
        --nthreads 1 --no-dashboard --no-nanny --local-directory "$scratch/$number" &
    pids="$pids $!"
    first=${first:-$!}
done
if [ -n "${KILL:-}" ]; then (sleep "$KILL" && kill -9 "$first" && echo "killed worker $first") & fi
SEGUE_DASK="tcp://$address.254:8786" "$@"
