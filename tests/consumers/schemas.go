package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

type schemas struct {
	// The published schema of SARIF 2.1.0.
	sarif *jsonschema.Schema
	// Those of the CustomResourceDefinitions of OpenReports, by kind.
	reports map[string]*jsonschema.Schema
}

func loadSchemas(folder string) (*schemas, error) {
	text, err := constant(filepath.Join(folder, "pkg/report/v210/sarif/schema.go"), "schema")
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	loaded := &schemas{reports: map[string]*jsonschema.Schema{}}
	if loaded.sarif, err = compiled(document); err != nil {
		return nil, err
	}
	definitions, err := filepath.Glob(filepath.Join(folder, "config/crd/*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, path := range definitions {
		if err := loaded.define(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if len(loaded.reports) != 2 {
		return nil, fmt.Errorf("%s has %d CustomResourceDefinitions", folder, len(loaded.reports))
	}
	return loaded, nil
}

// constant is the text of a string constant in a Go file.
func constant(path, name string) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return "", err
	}
	object := file.Scope.Lookup(name)
	if object == nil {
		return "", fmt.Errorf("%s has no constant %s", path, name)
	}
	literal, isLiteral := object.Decl.(*ast.ValueSpec).Values[0].(*ast.BasicLit)
	if !isLiteral {
		return "", fmt.Errorf("%s in %s is no literal", name, path)
	}
	return strconv.Unquote(literal.Value)
}

func compiled(document any) (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("memory:schema", document); err != nil {
		return nil, err
	}
	return compiler.Compile("memory:schema")
}

func (s *schemas) define(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var definition struct {
		Spec struct {
			Names    struct{ Kind string }
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &definition); err != nil {
		return err
	}
	schema := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
	// The API server knows what is in there.
	schema["properties"].(map[string]any)["metadata"] = map[string]any{"type": "object", "required": []any{"name"}}
	refuseUnknown(schema)
	s.reports[definition.Spec.Names.Kind], err = compiled(schema)
	return err
}

// refuseUnknown makes a schema refuse fields that it does not name, as the API server does when it is asked to be
// strict.
func refuseUnknown(schema any) {
	switch schema := schema.(type) {
	case []any:
		for _, item := range schema {
			refuseUnknown(item)
		}
	case map[string]any:
		_, names := schema["properties"].(map[string]any)
		if _, knows := schema["additionalProperties"]; names && !knows {
			schema["additionalProperties"] = false
		}
		for _, item := range schema {
			refuseUnknown(item)
		}
	}
}

func (s *schemas) readLog(text string) (any, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	return document, s.sarif.Validate(document)
}

func (s *schemas) readReports(text string) (any, error) {
	var documents []any
	for _, part := range strings.Split("\n"+text, "\n---\n")[1:] {
		converted, err := yaml.YAMLToJSONStrict([]byte(part))
		if err != nil {
			return nil, err
		}
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(converted)))
		if err != nil {
			return nil, err
		}
		object, isObject := document.(map[string]any)
		if !isObject || object["apiVersion"] != "openreports.io/v1alpha1" {
			return nil, errors.New("this is no object of openreports.io/v1alpha1")
		}
		kind, _ := object["kind"].(string)
		schema, known := s.reports[kind]
		if !known {
			return nil, fmt.Errorf("openreports.io has no kind %q", kind)
		}
		if err := schema.Validate(document); err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	return documents, nil
}

func readYAML(text string) (any, error) {
	converted, err := yaml.YAMLToJSONStrict([]byte(text))
	return json.RawMessage(converted), err
}
