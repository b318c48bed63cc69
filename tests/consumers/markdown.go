package main

import (
	"fmt"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// comment is what a forge makes of Markdown.
type comment struct {
	Headings []string `json:"headings"`
	Tables   []table  `json:"tables"`
	// Addresses of links, also of those that are made of bare addresses.
	Links []string `json:"links"`
	// Blocks and pieces of HTML.
	HTML []string `json:"html"`
	// Texts outside of tables.
	Paragraphs []string `json:"paragraphs"`
	// Every other sort of node.
	Kinds []string `json:"kinds"`
}

type table struct {
	Caption string     `json:"caption,omitempty"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

func readComment(markdown string) (any, error) {
	source := []byte(markdown)
	root := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	seen := comment{}
	kinds := map[string]bool{}
	err := ast.Walk(root, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch node := node.(type) {
		case *ast.Document, *ast.Text, *ast.String, *ast.CodeSpan, *tables.TableHeader, *tables.TableRow, *tables.TableCell, *ast.TextBlock:
		case *ast.Heading:
			seen.Headings = append(seen.Headings, plain(node, source))
		case *ast.Paragraph:
			seen.Paragraphs = append(seen.Paragraphs, plain(node, source))
		case *tables.Table:
			seen.Tables = append(seen.Tables, readTable(node, source))
		case *ast.Link:
			seen.Links = append(seen.Links, string(node.Destination))
		case *ast.AutoLink:
			seen.Links = append(seen.Links, string(node.URL(source)))
		case *ast.HTMLBlock:
			seen.HTML = append(seen.HTML, lines(node, source))
		case *ast.RawHTML:
			seen.HTML = append(seen.HTML, string(node.Segments.Value(source)))
		default:
			if kind := node.Kind().String(); !kinds[kind] {
				kinds[kind] = true
				seen.Kinds = append(seen.Kinds, kind)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, it := range seen.Tables {
		for _, row := range it.Rows {
			if len(row) != len(it.Columns) {
				return nil, fmt.Errorf("a row has %d cells: %q", len(row), row)
			}
		}
	}
	return seen, err
}

func readTable(node *tables.Table, source []byte) table {
	read := table{}
	for row := node.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, plain(cell, source))
		}
		if _, isHead := row.(*tables.TableHeader); isHead {
			read.Columns = cells
		} else {
			read.Rows = append(read.Rows, cells)
		}
	}
	return read
}

// plain is the text of a node; code is put between ⟨ and ⟩.
func plain(node ast.Node, source []byte) string {
	var out strings.Builder
	for child := node.FirstChild(); child != nil; child = child.NextSibling() {
		switch child := child.(type) {
		case *ast.Text:
			out.Write(child.Segment.Value(source))
		case *ast.String:
			out.Write(child.Value)
		case *ast.CodeSpan:
			out.WriteString("⟨" + plain(child, source) + "⟩")
		default:
			out.WriteString(plain(child, source))
		}
	}
	return out.String()
}

func lines(node ast.Node, source []byte) string {
	var out strings.Builder
	for i := range node.Lines().Len() {
		line := node.Lines().At(i)
		out.Write(line.Value(source))
	}
	return out.String()
}
