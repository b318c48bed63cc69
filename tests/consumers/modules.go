//go:build files

// Modules of which only files are needed: the schemas.
package main

import (
	_ "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)
