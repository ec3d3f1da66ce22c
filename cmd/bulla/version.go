package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"bulla/format"
)

// version is set by a release: go build -ldflags "-X main.version=v1.2.3".
var version string

// buildVersion is the version of this program: as a release says, or else as the
// Go toolchain knows it.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		return orElse(info.Main.Version, "(unknown)")
	}
	return orElse(version, "(unknown)")
}

// buildSetting is one of the settings that the toolchain records in a program.
func buildSetting(key string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == key {
				return s.Value
			}
		}
	}
	return ""
}

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Show the version",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			v := versionInfo{buildVersion(), buildSetting("vcs.revision"), buildSetting("vcs.time"),
				runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, format.Version}
			if a.json {
				return a.printJSON(v)
			}
			a.printf("bulla %s\n", v.Version)
			if v.Commit != "" {
				a.printf("commit %s of %s\n", v.Commit, v.Time)
			}
			a.printf("format %d\n%s %s\n", v.Format, v.Go, v.Platform)
			return nil
		},
	}
}

type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"commit_time,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Format   int    `json:"format"`
}
