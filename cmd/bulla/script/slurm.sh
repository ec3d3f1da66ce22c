#!/bin/sh
#SBATCH --job-name=bulla-{{.ID}}
#SBATCH --array=0-{{.Last}}%{{.AtOnce}}
#SBATCH --open-mode=append
#SBATCH --requeue
# An array job for Slurm: sbatch FILE, then bulla job finish. If parts are missing, submit it again: parts
# that are done end at once. If arrays have to be shorter (MaxArraySize), submit it in pieces, with
# the first part of each in BULLA_FIRST: BULLA_FIRST=1000 sbatch --array=0-999%{{.AtOnce}} FILE
exec bulla job run {{if .Key}}--job-key {{.Key | quote}} {{end}}--part "$((${BULLA_FIRST:-0} + SLURM_ARRAY_TASK_ID))" {{.Job | quote}}
