#!/bin/sh
#SBATCH --job-name=bulla-@ID@
#SBATCH --array=0-@LAST@%@AT_ONCE@
#SBATCH --open-mode=append
#SBATCH --requeue
# An array job for Slurm: sbatch FILE, then bulla job finish. If parts are missing, submit it again: parts
# that are done end at once. If arrays have to be shorter (MaxArraySize), submit it in pieces, with
# the first part of each in BULLA_FIRST: BULLA_FIRST=1000 sbatch --array=0-999%@AT_ONCE@ FILE
?KEY exec bulla job run --job-key @KEY@ --part "$((${BULLA_FIRST:-0} + SLURM_ARRAY_TASK_ID))" @JOB@
?!KEY exec bulla job run --part "$((${BULLA_FIRST:-0} + SLURM_ARRAY_TASK_ID))" @JOB@
