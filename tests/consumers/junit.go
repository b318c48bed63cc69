package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

type element struct {
	Name       string            `json:"name"`
	Attributes map[string]string `json:"attributes"`
	Children   []*element        `json:"children,omitempty"`
	Text       string            `json:"text,omitempty"`
}

// rule says what the schemas of those who read JUnit's XML have in common about an element.
type rule struct {
	required, optional, children []string
}

var counts = []string{"tests", "failures", "errors", "skipped"}

var rules = map[string]rule{
	"testsuites": {optional: append([]string{"name", "time"}, counts...), children: []string{"testsuite"}},
	"testsuite": {
		required: []string{"name", "tests"},
		optional: []string{"failures", "errors", "skipped", "time", "timestamp", "hostname", "package", "id", "file"},
		children: []string{"properties", "testcase", "system-out", "system-err"},
	},
	"testcase": {
		required: []string{"name", "classname"},
		optional: []string{"time", "file", "line"},
		children: []string{"skipped", "error", "failure", "system-out", "system-err"},
	},
	"failure": {optional: []string{"type", "message"}},
	"error":   {optional: []string{"type", "message"}},
	"skipped": {optional: []string{"message"}},
}

func readSuites(text string) (any, error) {
	root, err := parseXML(text)
	if err != nil {
		return nil, err
	}
	if root.Name != "testsuites" {
		return nil, fmt.Errorf("the root is %s", root.Name)
	}
	if err := root.check(); err != nil {
		return nil, err
	}
	return root, nil
}

func parseXML(text string) (*element, error) {
	decoder := xml.NewDecoder(strings.NewReader(text))
	top := &element{}
	open := []*element{top}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		current := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			child := &element{Name: token.Name.Local, Attributes: map[string]string{}}
			for _, attribute := range token.Attr {
				if _, twice := child.Attributes[attribute.Name.Local]; twice {
					return nil, fmt.Errorf("%s has %s twice", child.Name, attribute.Name.Local)
				}
				child.Attributes[attribute.Name.Local] = attribute.Value
			}
			current.Children = append(current.Children, child)
			open = append(open, child)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			current.Text += string(token)
		case xml.Comment, xml.Directive:
			return nil, errors.New("there is a comment or a directive")
		}
	}
	if len(top.Children) != 1 {
		return nil, fmt.Errorf("there are %d roots", len(top.Children))
	}
	return top.Children[0], nil
}

func (e *element) check() error {
	rule, known := rules[e.Name]
	if !known {
		return fmt.Errorf("nobody knows <%s>", e.Name)
	}
	for _, name := range rule.required {
		if e.Attributes[name] == "" {
			return fmt.Errorf("<%s> lacks %s", e.Name, name)
		}
	}
	for name := range e.Attributes {
		if !slices.Contains(rule.required, name) && !slices.Contains(rule.optional, name) {
			return fmt.Errorf("<%s> has %s", e.Name, name)
		}
	}
	last := 0
	for _, child := range e.Children {
		position := slices.Index(rule.children, child.Name)
		if position < last {
			return fmt.Errorf("<%s> has no place in <%s>, or another one", child.Name, e.Name)
		}
		last = position
		if err := child.check(); err != nil {
			return err
		}
	}
	return e.checkCounts()
}

// checkCounts compares the totals of suites with what they hold.
func (e *element) checkCounts() error {
	if e.Name != "testsuites" && e.Name != "testsuite" {
		return nil
	}
	cases := e.find("testcase")
	held := map[string]int{"tests": len(cases)}
	for _, it := range cases {
		held["failures"] += len(it.find("failure"))
		held["errors"] += len(it.find("error"))
		held["skipped"] += len(it.find("skipped"))
	}
	for _, name := range counts {
		if e.Attributes[name] != strconv.Itoa(held[name]) {
			return fmt.Errorf("<%s> says %s %s and holds %d", e.Name, e.Attributes[name], name, held[name])
		}
	}
	return nil
}

func (e *element) find(name string) []*element {
	var found []*element
	for _, child := range e.Children {
		if child.Name == name {
			found = append(found, child)
		}
		found = append(found, child.find(name)...)
	}
	return found
}
