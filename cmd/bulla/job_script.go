package main

import (
	"cmp"
	"embed"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"bulla/internal/job"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

// The templates of the scripts of all engines, which are filled in with a script.
//
//go:embed script
var scripts embed.FS

// engines has the template of each, and how a name is quoted there.
var engines = map[string]struct {
	file  string
	quote func(string) string
}{"slurm": {"slurm.sh", quoteShell}, "kubernetes": {"kubernetes.yaml", quoteYAML}, "parallel": {"parallel.sh", quoteShell}}

// A script is what is filled in. An empty string or 0 leaves out what is about it.
type script struct {
	ID          string
	Parts, Last int
	AtOnce      string
	Job, Key    string // their names

	// For kubernetes alone:
	Image, Claim, Folder string
	Secret               bool // something is, the key or credentials
	Region, Endpoint     string
	Most                 int    // parts that may fail
	ForGood              string // exit codes of failures that stay
}

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
	is, known := engines[engine]
	switch {
	case !known:
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
	script := &script{ID: j.ID, Parts: j.Parts, Last: j.Parts - 1, AtOnce: strconv.Itoa(cmp.Or(s.atOnce, 16))}
	if engine == "parallel" && s.atOnce == 0 {
		script.AtOnce = "100%"
	}
	if script.Job, err = onAnyMachine(j.Name); err == nil && j.NeedsKey() {
		script.Key, err = onAnyMachine(s.name(name))
	}
	if err == nil && engine == "kubernetes" {
		err = s.kubernetes(j, script)
	}
	if err != nil {
		return err
	}
	t, err := template.New(is.file).Funcs(template.FuncMap{"quote": is.quote}).ParseFS(scripts, "script/"+is.file)
	if err == nil {
		err = t.Execute(results{a}, script)
	}
	return cmp.Or(a.outErr, err)
}

// onAnyMachine is a name that means the same wherever a task runs, and that a script can have.
func onAnyMachine(name string) (abs string, err error) {
	if abs = name; storage.Scheme(name) == "" {
		abs, err = filepath.Abs(name)
	}
	if err == nil && !new(safetext.Filter).Accept([]byte(abs)) {
		err = usage("rename it", "no script can have the name %s", safetext.Printable(name))
	}
	return abs, err
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
	to.Image, to.Claim, to.Folder, to.Secret = s.image, claim, folder, to.Key != ""
	files := []string{j.Source.Name, to.Job}
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
			to.Secret = true
		case s.mount == "" || err != nil || !filepath.IsLocal(below):
			return usage("--mount CLAIM:FOLDER says which persistent volume claim has it", "no pod has %s", safetext.Printable(name))
		}
	}
	if to.Secret {
		to.Region, to.Endpoint = os.Getenv("AWS_REGION"), os.Getenv("AWS_ENDPOINT_URL")
	}
	if j.Parts > 100_000 { // Kubernetes then wants bounds
		to.Most, to.AtOnce = 10_000, strconv.Itoa(min(10_000, cmp.Or(s.atOnce, 16)))
	}
	to.ForGood = encodeJSON([]int{exitBad, exitNoKey, exitRefused, exitUnsupported, exitEntropy, exitUsage})
	return nil
}

func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// quoteYAML quotes a string in which Kubernetes, too, finds nothing to replace.
func quoteYAML(s string) string { return strconv.QuoteToASCII(strings.ReplaceAll(s, "$", "$$")) }
