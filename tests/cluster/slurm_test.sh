#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: slurm_test.sh NPUSIM
# Sweeps on a Slurm cluster of one node, which is made for this test and goes with it: tasks that
# are put back into the queue, interrupted and cancelled. Exit code 77 if Slurm is not installed.
set -euo pipefail

npusim=$1
PATH=$PATH:/usr/sbin:/sbin
for program in munged slurmctld slurmd sbatch squeue scontrol scancel sinfo; do
    command -v "$program" >/dev/null || {
        echo "skipped: no $program here" >&2
        exit 77
    }
done
hardware=$(realpath "$(dirname "$0")/../../configs/hardware/ascend-910b.yaml")
shards=4
points=48
scratch=$(mktemp -d)
chmod 711 "$scratch" # munged wants its socket within reach of all
export SLURM_CONF=$scratch/slurm.conf

say() { echo "$SECONDS s: $*" >&2; }

fail() {
    say "FAILED: $*"
    tail -n 20 "$scratch"/*.log "$scratch"/*/slurm-*.log >&2 || true
    exit 1
}

# until_true SECONDS COMMAND...: tries it ten times a second.
until_true() {
    local tries=$(($1 * 10))
    shift
    until "$@"; do
        ((tries-- > 0)) || return 1
        sleep 0.1
    done
}

# Processes of this cluster: only they have its settings in their environment.
processes() (
    setting=SLURM_CONF=$SLURM_CONF
    unset SLURM_CONF
    grep -lsxzF "$setting" /proc/[0-9]*/environ | cut -d / -f 3
)

end_processes() {
    local left
    mapfile -t left < <(processes)
    [[ ${#left[@]} -eq 0 ]] || kill "$@" "${left[@]}" 2>/dev/null || true
}

no_processes() { [[ -z $(processes) ]]; }

tear_down() {
    local code=$?
    trap - EXIT
    timeout 5 scancel --full --signal=KILL --user="$(id -un)" 2>/dev/null || true
    end_processes
    until_true 3 no_processes || end_processes -KILL
    if ! until_true 5 no_processes; then
        say "FAILED: left over: $(processes | xargs)"
        code=1
    fi
    rm -rf "$scratch"
    say "torn down"
    exit "$code"
}
trap tear_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A TCP port nobody listens at.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

write_settings() {
    local user
    user=$(id -un)
    cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$scratch/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
SlurmctldLogFile=$scratch/slurmctld.log
SlurmdLogFile=$scratch/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
MpiDefault=none
ReturnToService=2
KillWait=10
MaxArraySize=100
NodeName=localhost CPUs=2 State=UNKNOWN
PartitionName=test Nodes=localhost Default=YES MaxTime=INFINITE State=UP
CONF
}

is_idle() { [[ $(sinfo --noheader --format=%T 2>/dev/null) == idle ]]; }

start_cluster() {
    mkdir "$scratch/state" "$scratch/spool"
    (umask 077 && head -c 128 /dev/urandom >"$scratch/munge.key")
    munged --key-file="$scratch/munge.key" --socket="$scratch/munge.socket" \
        --pid-file="$scratch/munged.pid" --log-file="$scratch/munged.log" \
        --seed-file="$scratch/munge.seed"
    write_settings
    slurmctld -f "$SLURM_CONF"
    slurmd -f "$SLURM_CONF" -N localhost
    until_true 20 is_idle || fail "the cluster does not become idle"
    say "the cluster is idle"
}

write_sweep() {
    cat >"$scratch/sweep.yaml" <<YAML
name: slurm
hardware: $hardware
job:
  kind: inverse
  kernel: inverse/forward-substitution # slow to simulate: tasks last some seconds
  chunk: 128
  count: 800
  input: 'correlated:0.9'
  accuracy: no
axes:
  - {key: hardware.ai_cores, range: {from: 1, to: $((points / 2)), step: 1}}
  - {key: hardware.buffers.l1.size, values: [256KiB, 512KiB]}
objectives: [{name: cycles, direction: min}]
YAML
}

# start_sweep FOLDER: submits it and waits for it in the background; sets `waiting` and `job`.
start_sweep() {
    rm -f "$scratch/id"
    "$npusim" sweep slurm "$scratch/sweep.yaml" --shards "$shards" -o "$1" --submit --wait \
        >"$scratch/id" 2>"$scratch/wait.log" &
    waiting=$!
    until_true 10 test -s "$scratch/id" || fail "no job id"
    job=$(cat "$scratch/id")
    say "job $job"
}

# finish_sweep CODE: expects --wait to end with it.
finish_sweep() {
    local code=0
    wait "$waiting" || code=$?
    [[ $code == "$1" ]] || fail "--wait ended with $code, not $1"
}

state() { squeue --noheader --array --jobs="${job}_$1" --format=%T 2>"$scratch/squeue.log"; }

# has_begun FOLDER TASK: it runs, and something has been evaluated.
has_begun() { [[ $(state "$2") == RUNNING && -n $(cat "$1"/results-*.jsonl 2>/dev/null) ]]; }

# send_term TASK: as the time limit and preemption do. scancel sends it again after five seconds.
send_term() { timeout 2 scancel --signal=TERM --batch "${job}_$1" || true; }

restarts() { scontrol show job "${job}_$1" | grep -oE 'Restarts=[0-9]+'; }

sweep_with_interruptions() {
    local folder="$scratch/100%A of it's \"best\"" expected
    start_sweep "$folder"
    until_true 30 has_begun "$folder" 1 || fail "task 1 does not begin"
    scontrol requeue "${job}_1"
    until_true 30 has_begun "$folder" 2 || fail "task 2 does not begin"
    send_term 2
    say "task 1 was put back, task 2 got a signal"
    finish_sweep 0
    say "the sweep is done"
    for task in 1 2; do
        [[ $(restarts "$task") == Restarts=1 ]] || fail "task $task: $(restarts "$task")"
    done
    expected=$(seq 0 $((points - 1)))
    [[ $(cat "$folder"/results-*.jsonl | grep -oE '^\{"id":[0-9]+' | cut -d : -f 2 | sort -n) == \
        "$expected" ]] || fail "not every point is there once"
    [[ -f $folder/slurm-${job}_$shards.log ]] || fail "no log in the folder"
}

cancelled_sweep() {
    local folder=$scratch/cancelled
    start_sweep "$folder"
    until_true 30 has_begun "$folder" 1 || fail "task 1 does not begin"
    scancel "$job"
    finish_sweep 1
    say "the cancelled sweep is over"
    [[ $(restarts 1) == Restarts=0 ]] || fail "task 1 has come back: $(restarts 1)"
}

start_cluster
write_sweep
sweep_with_interruptions
cancelled_sweep
