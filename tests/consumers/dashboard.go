package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// readDashboard reads a dashboard by the schema of Grafana and of the panels that it ships, with nothing missing and
// nothing unknown. It tells how many panels there are.
func readDashboard(text string) (any, error) {
	plugins.RegisterDefaultPlugins()
	var read dashboard.Dashboard
	// No complaint is an error, too, in the eyes of Go.
	if err := read.UnmarshalJSONStrict([]byte(text)); err != nil && err.Error() != "" {
		return nil, err
	}
	if err := read.Validate(); err != nil {
		return nil, err
	}
	return len(read.Panels), nil
}
