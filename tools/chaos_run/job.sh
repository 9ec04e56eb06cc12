#!/bin/sh
# What every job of an attacked run is: job.sh LEDGER STEP FAILING ONCE SECONDS [ITEM]
# It appends a line to the ledger when it starts and one before it ends.  FAILING has the items that fail (- where there
# are none), ONCE=1 lets them succeed in a later attempt.  Times are those of /proc/uptime: no faked clock reaches it.
set -f
ledger=$1 step=$2 failing=$3 once=$4 seconds=$5 item=${6:--}
submission=${SUBMITIT_FOLDER:-$step}
submission=${submission##*/}
scheduler_id=${SLURM_ARRAY_JOB_ID:-${SLURM_JOB_ID:-${OAR_JOB_ID:--}}}
line() {
    read -r uptime _ </proc/uptime
    echo "$step $item $submission $scheduler_id $$ $PPID $uptime $1" >>"$ledger"
}
status=0
case ,$failing, in *,$item,*) status=3 ;; esac
case $once$submission in 1*~*) status=0 ;; esac
line start
[ "$seconds" = 0 ] || sleep "$seconds"
line $status
exit $status
