package main

import (
	"cmp"
	"embed"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bulla/internal/job"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

// The scripts of all engines: see script.fill.
//
//go:embed script
var scripts embed.FS

// engines is the name of the script of each.
var engines = map[string]string{"slurm": "slurm.sh", "kubernetes": "kubernetes.yaml", "parallel": "parallel.sh"}

type scriptFlags struct {
	jobKeyFlag
	atOnce       int
	image, mount string
}

func jobScriptCommand(a *app) *cobra.Command {
	s := &scriptFlags{}
	cmd := &cobra.Command{
		Use:   "script slurm|kubernetes|parallel JOB",
		Short: "Write the script with which an engine runs a job",
		Args:  takes(2, 2, "an engine and a job", "bulla job script slurm /shared/verify.job"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return slices.Sorted(maps.Keys(engines)), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.jobScript(s, args[0], args[1]) },
	}
	s.jobKeyFlag.register(cmd)
	f := cmd.Flags()
	f.IntVar(&s.atOnce, "at-once", 0, "run at most `N` parts at a time (default 16; for parallel as many as there are processors)")
	f.StringVar(&s.image, "image", "", "for kubernetes: the container image `NAME` has bulla")
	f.StringVar(&s.mount, "mount", "", "for kubernetes: files are in a persistent volume claim, `CLAIM:FOLDER`")
	return cmd
}

func (a *app) jobScript(s *scriptFlags, engine, name string) error {
	switch {
	case engines[engine] == "":
		return usage("slurm, kubernetes and parallel have one", "there is no script for %s", safetext.Printable(engine))
	case s.atOnce < 0:
		return usage("give a number from 1 on", "invalid --at-once %d", s.atOnce)
	case engine != "kubernetes" && s.image+s.mount != "":
		return usage("leave them out", "--image and --mount are for kubernetes")
	}
	j, err := job.Open(a.files, name)
	if err != nil {
		return err
	}
	if _, err := hex.DecodeString(j.ID); err != nil { // it stands where nothing can be quoted
		return &job.Error{Problem: job.Damaged, Job: j.Name, What: "plan.json"}
	}
	script := &script{names: map[string]string{"JOB": j.Name}, quote: quoteShell,
		plain: map[string]string{"ID": j.ID, "PARTS": strconv.Itoa(j.Parts), "LAST": strconv.Itoa(j.Parts - 1), "AT_ONCE": "16"}}
	switch {
	case s.atOnce > 0:
		script.plain["AT_ONCE"] = strconv.Itoa(s.atOnce)
	case engine == "parallel":
		script.plain["AT_ONCE"] = "100%"
	}
	if j.NeedsKey() {
		script.names["KEY"] = s.name(name)
	}
	for is, n := range script.names { // wherever a task runs
		if storage.Scheme(n) == "" {
			if script.names[is], err = filepath.Abs(n); err != nil {
				return err
			}
		}
		if !new(safetext.Filter).Accept([]byte(script.names[is])) {
			return usage("rename it", "no script can have the name %s", safetext.Printable(n))
		}
	}
	if engine == "kubernetes" {
		if err := s.kubernetes(j, script); err != nil {
			return err
		}
	}
	text, err := scripts.ReadFile("script/" + engines[engine])
	if err == nil {
		a.printf("%s", script.fill(string(text)))
	}
	return cmp.Or(err, a.outErr)
}

// kubernetes adds what a manifest has besides.
func (s *scriptFlags) kubernetes(j *job.Job, to *script) error {
	claim, folder, _ := strings.Cut(s.mount, ":")
	switch {
	case s.image == "":
		return usage("--image NAME, of one that has bulla", "kubernetes needs a container image")
	case s.mount != "" && (claim == "" || !filepath.IsAbs(folder)):
		return usage("for example --mount archive:/data", "invalid --mount %s", safetext.Printable(s.mount))
	}
	to.quote = quoteYAML
	to.names["IMAGE"], to.names["CLAIM"], to.names["FOLDER"] = s.image, claim, folder
	to.plain["SECRET"] = to.names["KEY"]
	files := []string{j.Source.Name, to.names["JOB"]}
	switch j.Kind {
	case job.Encrypt:
		files = append(files, j.Encrypt.Root)
	case job.Decrypt:
		files = append(files, j.Decrypt.Output)
	case job.Scrub:
		files = append(files, j.Scrub.Name)
	}
	for _, name := range files {
		below, err := filepath.Rel(folder, name)
		switch {
		case storage.Scheme(name) != "":
			to.plain["SECRET"] = name
		case s.mount == "" || err != nil || !filepath.IsLocal(below):
			return usage("--mount CLAIM:FOLDER says which persistent volume claim has it", "no pod has %s", safetext.Printable(name))
		}
	}
	if to.plain["SECRET"] != "" {
		to.names["AWS_REGION"], to.names["AWS_ENDPOINT_URL"] = os.Getenv("AWS_REGION"), os.Getenv("AWS_ENDPOINT_URL")
	}
	if j.Parts > 100_000 { // Kubernetes then wants bounds
		to.plain["MANY"], to.plain["AT_ONCE"] = "10000", strconv.Itoa(min(10_000, cmp.Or(s.atOnce, 16)))
	}
	forGood, err := json.Marshal([]int{exitBad, exitNoKey, exitRefused, exitUnsupported, exitEntropy, exitUsage})
	to.plain["FOR_GOOD"] = string(forGood)
	return err
}

// A script is what is put into one: @NAME@ is a value. A line that begins with ?NAME is there,
// without that, if the value is not "", and one with ?!NAME if it is.
type script struct {
	plain map[string]string
	names map[string]string // to be quoted
	quote func(string) string
}

func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// quoteYAML quotes a string in which Kubernetes, too, finds nothing to replace.
func quoteYAML(s string) string { return strconv.QuoteToASCII(strings.ReplaceAll(s, "$", "$$")) }

func (s *script) fill(text string) string {
	var pairs []string
	for name, value := range s.plain {
		pairs = append(pairs, "@"+name+"@", value)
	}
	for name, value := range s.names {
		pairs = append(pairs, "@"+name+"@", s.quote(value))
	}
	put := strings.NewReplacer(pairs...)
	var b strings.Builder
	for line := range strings.Lines(text) {
		if when, rest, _ := strings.Cut(line, " "); strings.HasPrefix(when, "?") {
			name, not := strings.CutPrefix(when[1:], "!")
			if (s.plain[name]+s.names[name] == "") != not {
				continue
			}
			line = rest
		}
		put.WriteString(&b, line)
	}
	return b.String()
}
