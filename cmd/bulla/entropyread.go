package main

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

type entropyReadFlags struct {
	entropyFlags
	source string
}

func entropyReadCommand(a *app) *cobra.Command {
	e := &entropyReadFlags{}
	cmd := &cobra.Command{
		Use:   "read N",
		Short: "Write random bytes to a pipe or a file",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("for example: bulla entropy read 32", "entropy read takes the number of bytes")
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.entropyRead(cmd, e, args[0])
		},
	}
	e.register(cmd)
	cmd.Flags().StringVar(&e.source, "source", "", "write the bytes of `SOURCE` alone, for statistics")
	complete(cmd, "source", randomSources())
	return cmd
}

func (a *app) entropyRead(cmd *cobra.Command, e *entropyReadFlags, count string) error {
	n, ok := console.ParseSize(count)
	if !ok {
		return usage("for example 32, 100K, 8M or 1G", "invalid number of bytes: %s", safetext.Printable(count))
	}
	out, err := a.files.Create("-", storage.Options{})
	if err != nil {
		return err
	}
	if out.Terminal() {
		return refuse("send them to a file or a pipe: bulla entropy read 32 | xxd", "random bytes would go to the terminal")
	}
	src, err := e.open(a, cmd)
	if err != nil {
		return err
	}
	if e.source != "" {
		a.warn("these are the bytes of "+e.source+" alone: for statistics, never for keys", "leave --source out for bytes to use")
	}
	done := new(atomic.Int64)
	bar := a.startProgress(&workFlags{progress: "auto"}, "random bytes", n, done, nil)
	err = copyRandom(cmd.Context(), out, src, n, done)
	if err == nil {
		err = out.Commit()
	}
	bar.Finish(err)
	return err
}

func (e *entropyReadFlags) open(a *app, cmd *cobra.Command) (io.Reader, error) {
	if e.source == "" {
		m, err := e.mixer(a, cmd)
		return mixed{m}, err
	}
	if cmd.Flags().Changed("entropy") || len(e.require) > 0 {
		return nil, usage("leave --source out, or the others", "--source is one source, unmixed: --entropy and --require are about mixing")
	}
	return entropy.Raw(e.source)
}

type mixed struct{ *entropy.Mixer }

func (m mixed) Read(p []byte) (int, error) {
	p = p[:min(len(p), entropy.MaxFill)]
	return len(p), m.Fill("entropy read", p)
}

// copyRandom copies n bytes and leaves none behind.
func copyRandom(ctx context.Context, dst io.Writer, src io.Reader, n int64, done *atomic.Int64) error {
	buf := make([]byte, entropy.MaxFill)
	defer clear(buf)
	for n > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		part := buf[:min(n, int64(len(buf)))]
		_, err := io.ReadFull(src, part)
		if err == nil {
			_, err = dst.Write(part)
		}
		if err != nil {
			return err
		}
		n -= int64(len(part))
		done.Add(int64(len(part)))
	}
	return nil
}
