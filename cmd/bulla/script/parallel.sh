#!/bin/sh
# All parts with GNU parallel: sh FILE, then bulla job finish. If parts are missing, run it again: parts
# that are done end at once, and so do those that failed for good, which the job has a note of. What
# is given to this script are flags of parallel, such as --sshloginfile MACHINES. It exits with
# the number of parts that failed.
{{- if .Key}}
seq 0 {{.Last}} | tr '\n' '\0' | parallel -0 --jobs {{.AtOnce}} --retries 3 "$@" bulla job run -j 1 --job-key {1} --part {2} {3} ::: {{.Key | quote}} :::: - ::: {{.Job | quote}}
{{- else}}
seq 0 {{.Last}} | tr '\n' '\0' | parallel -0 --jobs {{.AtOnce}} --retries 3 "$@" bulla job run -j 1 --part {1} {2} :::: - ::: {{.Job | quote}}
{{- end}}
