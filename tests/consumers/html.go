package main

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// page is what a browser and a screen reader make of a page.
type page struct {
	Title string `json:"title"`
	// Levels and texts of headings, in order.
	Headings []string `json:"headings"`
	Tables   []table  `json:"tables"`
	// Every sort of element and of attribute.
	Elements   []string `json:"elements"`
	Attributes []string `json:"attributes"`
	// Addresses that are followed when a person wants to.
	Links []string `json:"links"`
	// Values that a person may choose, by name.
	Choices map[string][]string `json:"choices"`
	// What the page allows itself.
	Policy string `json:"policy"`
}

var void = []string{"meta", "link", "br", "hr", "img", "input"}

func readPage(text string) (any, error) {
	if err := wellFormed(text); err != nil {
		return nil, err
	}
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	seen := page{Choices: map[string][]string{}}
	err = seen.read(root)
	return seen, err
}

// wellFormed refuses what browsers repair in silence: tags that are not closed, or not in order.
func wellFormed(text string) error {
	tokens := html.NewTokenizer(strings.NewReader(text))
	var open []string
	for {
		kind := tokens.Next()
		name, _ := tokens.TagName()
		tag := string(name)
		switch kind {
		case html.ErrorToken:
			if !errors.Is(tokens.Err(), io.EOF) {
				return tokens.Err()
			}
			if len(open) > 0 {
				return fmt.Errorf("not closed: %q", open)
			}
			return nil
		case html.SelfClosingTagToken, html.CommentToken:
			return fmt.Errorf("unexpected: %q", tokens.Raw())
		case html.StartTagToken:
			if !slices.Contains(void, tag) {
				open = append(open, tag)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != tag {
				return fmt.Errorf("</%s> closes %q", tag, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func (p *page) read(root *html.Node) error {
	ids := map[string]bool{}
	var references []string
	var policyOf string
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		p.Elements = with(p.Elements, node.Data)
		values := map[string]string{}
		for _, attribute := range node.Attr {
			if _, twice := values[attribute.Key]; twice {
				return fmt.Errorf("<%s> has %s twice", node.Data, attribute.Key)
			}
			values[attribute.Key] = attribute.Val
			p.Attributes = with(p.Attributes, attribute.Key)
		}
		if id, has := values["id"]; has {
			if ids[id] || id == "" {
				return fmt.Errorf("the id %q is there twice or empty", id)
			}
			ids[id] = true
		}
		if id, has := values["aria-labelledby"]; has {
			references = append(references, id)
		}
		switch node.Data {
		case "title":
			p.Title = textOf(node)
		case "h1", "h2", "h3", "h4", "h5", "h6":
			p.Headings = append(p.Headings, node.Data+" "+textOf(node))
		case "table":
			read, err := readHTMLTable(node)
			if err != nil {
				return err
			}
			p.Tables = append(p.Tables, read)
		case "a":
			if id, isLocal := strings.CutPrefix(values["href"], "#"); isLocal {
				references = append(references, id)
			} else {
				p.Links = with(p.Links, values["href"])
			}
		case "select":
			if node.Parent.Data != "label" {
				return errors.New("a choice has no label")
			}
			for option := range node.ChildNodes() {
				if option.Data == "option" {
					p.Choices[values["name"]] = append(p.Choices[values["name"]], textOf(option))
				}
			}
		case "meta":
			if values["http-equiv"] == "Content-Security-Policy" {
				policyOf = values["content"]
			}
		case "script":
			digest := sha256.Sum256([]byte(textOf(node)))
			allowed := "'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"
			if !strings.Contains(policyOf, "script-src "+allowed) {
				return fmt.Errorf("the policy %q does not allow the script %s", policyOf, allowed)
			}
		}
	}
	p.Policy = policyOf
	for _, id := range references {
		if !ids[id] {
			return fmt.Errorf("nothing has the id %q", id)
		}
	}
	return nil
}

// readHTMLTable reads a table as a screen reader does, by its caption and its heads.
func readHTMLTable(node *html.Node) (table, error) {
	read := table{}
	for part := range node.Descendants() {
		switch part.Data {
		case "caption":
			read.Caption = textOf(part)
		case "th":
			scope := ""
			for _, attribute := range part.Attr {
				if attribute.Key == "scope" {
					scope = attribute.Val
				}
			}
			expected := "row"
			if part.Parent.Parent.Data == "thead" {
				expected = "col"
				read.Columns = append(read.Columns, textOf(part))
			}
			if scope != expected {
				return read, fmt.Errorf("the scope of %q is %q", textOf(part), scope)
			}
		case "tr":
			if part.Parent.Data != "tbody" {
				continue
			}
			var cells []string
			heads := 0
			for cell := range part.ChildNodes() {
				if cell.Type == html.ElementNode {
					cells = append(cells, textOf(cell))
				}
				if cell.Data == "th" {
					heads++
				}
			}
			if heads != 1 {
				return read, fmt.Errorf("a row has %d heads: %q", heads, cells)
			}
			read.Rows = append(read.Rows, cells)
		}
	}
	for _, row := range read.Rows {
		if len(row) != len(read.Columns) {
			return read, fmt.Errorf("a row has %d cells: %q", len(row), row)
		}
	}
	if read.Caption == "" {
		return read, errors.New("a table has no caption")
	}
	return read, nil
}

func textOf(node *html.Node) string {
	var out strings.Builder
	for child := range node.Descendants() {
		switch {
		case child.Type == html.TextNode:
			out.WriteString(child.Data)
		case child.Data == "br":
			out.WriteString("\n")
		}
	}
	return out.String()
}

// with is a sorted set with one more.
func with(set []string, more string) []string {
	position, has := slices.BinarySearch(set, more)
	if has {
		return set
	}
	return slices.Insert(set, position, more)
}
