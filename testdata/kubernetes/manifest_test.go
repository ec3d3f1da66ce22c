// Package kubernetes decodes the manifests that bulla job script writes, which are beside it, as
// Kubernetes does. It is a module of its own, so that what it needs is not needed elsewhere.
package kubernetes

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestManifests(t *testing.T) {
	names, err := filepath.Glob("*.yaml")
	if err != nil || len(names) < 4 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			j := new(batch.Job)
			if err := yaml.UnmarshalStrict(text, j); err != nil { // unknown fields, wrong types
				t.Fatal(err)
			}
			// A name that is wrong gets through that, and so does a value that it does not know.
			s, pod := j.Spec, j.Spec.Template.Spec
			switch {
			case j.APIVersion != batch.SchemeGroupVersion.String() || j.Kind != "Job":
				t.Error("it is no Job of batch/v1")
			case s.CompletionMode == nil || *s.CompletionMode != batch.IndexedCompletion:
				t.Error("tasks are not numbered")
			case pod.RestartPolicy != core.RestartPolicyNever: // a pod failure policy needs it
				t.Error("restartPolicy is", pod.RestartPolicy)
			case s.BackoffLimitPerIndex == nil || s.BackoffLimit != nil:
				t.Error("attempts are not counted by part")
			case len(pod.Containers) != 1:
				t.Fatal("there is not one container")
			case *s.Completions > 100_000 && (s.MaxFailedIndexes == nil || *s.MaxFailedIndexes > 10_000 || *s.Parallelism > 10_000):
				t.Error("Kubernetes refuses so many parts without bounds")
			}
			var failed, ignored bool
			for _, rule := range s.PodFailurePolicy.Rules {
				switch {
				case rule.Action == batch.PodFailurePolicyActionFailIndex:
					c := rule.OnExitCodes
					failed = *c.ContainerName == pod.Containers[0].Name && c.Operator == batch.PodFailurePolicyOnExitCodesOpIn && slices.Equal(c.Values, []int32{3, 4, 5, 7, 9, 64})
				case rule.Action == batch.PodFailurePolicyActionIgnore:
					c := rule.OnPodConditions
					ignored = len(c) == 1 && c[0].Type == core.DisruptionTarget && c[0].Status == core.ConditionTrue
				}
			}
			if !failed || !ignored || len(s.PodFailurePolicy.Rules) != 2 {
				t.Errorf("the pod failure policy is %+v", s.PodFailurePolicy.Rules)
			}
			volumes := map[string]core.Volume{}
			for _, v := range pod.Volumes {
				volumes[v.Name] = v
			}
			for _, m := range pod.Containers[0].VolumeMounts {
				v, ok := volumes[m.Name]
				if !ok || (v.Secret == nil) == (v.PersistentVolumeClaim == nil) || v.Secret != nil && (!m.ReadOnly || *v.Secret.DefaultMode != 0o400) {
					t.Errorf("%s is mounted: %+v", m.Name, v)
				}
				delete(volumes, m.Name)
			}
			if len(volumes) > 0 {
				t.Error("not mounted:", volumes)
			}
		})
	}
}

// Names get there as they are. Kubernetes makes $ of $$.
func TestNames(t *testing.T) {
	for name, want := range map[string]struct {
		args   []string
		region string
	}{
		"odd.yaml":    {[]string{"/data/a b'c\"d\ne{}$$(HOME)$$é: #"}, ""},
		"bucket.yaml": {[]string{"--job-key", "/run/bulla/key", "/data/job"}, "eu-central-1"},
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		j := new(batch.Job)
		if err := yaml.UnmarshalStrict(text, j); err != nil {
			t.Fatal(err)
		}
		c := j.Spec.Template.Spec.Containers[0]
		env := map[string]string{}
		for _, e := range c.Env {
			env[e.Name] = e.Value
		}
		if !slices.Equal(c.Command, append([]string{"bulla", "job", "run"}, want.args...)) || env["AWS_REGION"] != want.region ||
			want.region != "" && env["AWS_ENDPOINT_URL"] != "https://store.example/a?b=$$(C)\"" {
			t.Errorf("%s: %q, %q", name, c.Command, env)
		}
		if bytes.Contains(text, []byte("\n\n")) || !bytes.HasSuffix(text, []byte("\n")) {
			t.Errorf("%s has an empty line, or no end", name)
		}
	}
}
