#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# test_slurm.sh BNN: an array job of 20 tasks under a Slurm of its own on this machine, two nodes on loopback; three tasks are killed, and all ends whole without a hand. Takes root,
# munge and slurm-wlm.
. "$(dirname "$0")/test_program_common.sh"

for program in munged slurmctld slurmd sbatch scontrol; do
    command -v $program >/dev/null || { echo "skipped: $program is not here"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo 'skipped: daemons of Slurm take root'; exit 77; }

# ---------------------------------------------------------------- a Slurm

slurm=$folder/slurm
mkdir -p "$slurm/state" "$slurm/one" "$slurm/two"
chmod 700 "$slurm"
dd if=/dev/urandom of="$slurm/key" bs=128 count=1 2>/dev/null
chmod 400 "$slurm/key"
cat >"$slurm/slurm.conf" <<END
ClusterName=bnn
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=17321
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$slurm/munge.socket,cred_expire=1
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/%n
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/%n.pid
SlurmctldLogFile=$slurm/slurmctld.log
SlurmdLogFile=$slurm/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
KillWait=2
ReturnToService=2
NodeName=one NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=17322 CPUs=1 State=UNKNOWN
NodeName=two NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=17323 CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=60 State=UP
END
export SLURM_CONF=$slurm/slurm.conf
pids=
trap 'kill $pids 2>/dev/null; wait; rm -rf "$folder"' EXIT
munged --foreground --force --key-file="$slurm/key" --socket="$slurm/munge.socket" --pid-file="$slurm/munge.pid" --log-file="$slurm/munge.log" --seed-file="$slurm/munge.seed" >"$slurm/munge.out" 2>&1 &
pids="$pids $!"
sleep 1
slurmctld -D >"$slurm/slurmctld.out" 2>&1 &
pids="$pids $!"
for node in one two; do
    slurmd -D -N $node >"$slurm/$node.out" 2>&1 &
    pids="$pids $!"
done
for second in $(seq 30); do
    [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 2 ] && break
    sleep 1
done
check 'two nodes are up' [ "$(sinfo -h -t idle -o %D)" = 2 ]
if [ $failed -gt 0 ]; then tail -n 5 "$slurm"/*.log "$slurm"/*.out; finish; fi

# ---------------------------------------------------------------- the array

awk 'BEGIN { srand(3); print "a,b,y"; for (i = 0; i < 60; i++) { a = rand() * 4 - 2; b = rand() * 2; print a "," b "," sin(a) + b + 0.1 * rand() } }' >d.csv
works import csv d.csv --target y -o d.h5
works split d.h5 --count 5 --force -o d.h5
compared() {
    what=$1
    shift
    $what compare -d d.h5 --net 'dense:8; relu; dense' -e map:epochs=20000 -e mc_dropout:epochs=10000 -e 'hmc:samples=300,warmup=300,steps=20,chains=1' -e 'laplace:engine=map{epochs=20000}' \
        --samples 100 -t 1 "$@"
}
compared run -o whole.h5 # which says how long it takes where that is long
check 'one process makes the whole' [ $status = 0 ]
compared works -o all.h5 --slurm 20 --submit
says 'submitted array '
killed=0
for tick in $(seq 600); do
    task=
    for found in $(pgrep -f -- '--part [0-9]*/20 --resume -o all'); do [ "$(readlink /proc/$found/cwd)/$(readlink /proc/$found/exe)" = "$PWD/$bnn" ] && task=$found; done
    if [ $killed -lt 3 ] && [ -n "$task" ] && [ $((tick % 3)) = 0 ]; then kill -KILL $task && killed=$((killed + 1)); fi
    [ -e all.h5 ] && break
    [ $tick -gt 20 ] && [ -z "$(squeue -h)" ] && break
    sleep 0.3
done
echo "$killed tasks killed, $(grep -l . all.*.log | wc -l) logs, $tick ticks"
check 'three tasks were killed' [ $killed = 3 ]
check 'all parts are joined' [ -e all.h5 ]
check 'into what one process makes' "$bnn" diff whole.h5 all.h5
if [ $failed -gt 0 ]; then tail -n 3 all.*.log; squeue; fi
finish
