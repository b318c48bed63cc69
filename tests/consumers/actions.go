package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/rhysd/actionlint"
	"sigs.k8s.io/yaml"
)

// readAction reads the metadata of a composite action as a workflow does that uses it, with every input and output, and
// its steps as those of a job.
func readAction(text string) (any, error) {
	var action struct {
		Inputs, Outputs map[string]any
		Runs            struct{ Steps []any }
	}
	if err := yaml.Unmarshal([]byte(text), &action); err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp("", "action")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	// What makes a folder a project, in which `./` is the action.
	if err := os.Mkdir(filepath.Join(root, ".git"), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(root, "action.yml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	with, typed := map[string]any{}, map[string]any{}
	for name := range action.Inputs {
		with[name] = "any"
		typed[name] = map[string]any{"type": "string"}
	}
	said := map[string]any{}
	for name := range action.Outputs {
		said["SAID_"+name] = "${{ steps.it.outputs." + name + " }}"
	}
	uses := []any{
		map[string]any{"id": "it", "uses": "./", "with": with},
		map[string]any{"run": "env", "env": said},
	}
	if err := lintJob(root, map[string]any{"push": nil}, uses); err != nil {
		return nil, err
	}
	called := map[string]any{"workflow_call": map[string]any{"inputs": typed}}
	return action, lintJob(root, called, action.Runs.Steps)
}

func lintJob(root string, on map[string]any, steps []any) error {
	audit := map[string]any{"runs-on": "ubuntu-latest", "steps": steps}
	text, err := yaml.Marshal(map[string]any{"on": on, "jobs": map[string]any{"audit": audit}})
	if err != nil {
		return err
	}
	return lint(root, text)
}

func lint(root string, text []byte) error {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: root})
	if err != nil {
		return err
	}
	var project *actionlint.Project
	if root != "" {
		if project, err = actionlint.NewProject(root); err != nil {
			return err
		}
	}
	found, err := linter.Lint("workflow.yml", text, project)
	if err != nil {
		return err
	}
	var all []error
	for _, one := range found {
		all = append(all, one)
	}
	return errors.Join(all...)
}

// readWorkflow reads a workflow.
func readWorkflow(text string) (any, error) {
	var workflow any
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		return nil, err
	}
	return workflow, lint("", []byte(text))
}
