// The consumers read what an audit prints, what runs it in pipelines, and dashboards, as those would whom it is made for: with parsers
// and published schemas that know nothing of the program.
//
// They read one JSON document per line from standard input, a format and a text, and answer each by one line: what is
// wrong with the text, and what there is in it. The argument is the folder with the schemas.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

type request struct {
	Format string `json:"format"`
	Text   string `json:"text"`
}

type answer struct {
	Error string `json:"error,omitempty"`
	Seen  any    `json:"seen,omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		fail(errors.New("usage: consumers FOLDER"))
	}
	schemas, err := loadSchemas(os.Args[1])
	fail(err)
	readers := map[string]func(string) (any, error){
		"action":      readAction,
		"dashboard":   readDashboard,
		"html":        readPage,
		"junit":       readSuites,
		"markdown":    readComment,
		"openreports": schemas.readReports,
		"sarif":       schemas.readLog,
		"workflow":    readWorkflow,
		"yaml":        readYAML,
	}
	output := bufio.NewWriter(os.Stdout)
	decoder := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	encoder := json.NewEncoder(output)
	for {
		var next request
		err := decoder.Decode(&next)
		if errors.Is(err, io.EOF) {
			return
		}
		fail(err)
		read, known := readers[next.Format]
		if !known {
			fail(fmt.Errorf("nobody reads %q", next.Format))
		}
		seen, err := read(next.Text)
		said := answer{Seen: seen}
		if err != nil {
			said.Error = err.Error()
		}
		fail(encoder.Encode(said))
		fail(output.Flush())
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "consumers:", err)
		os.Exit(1)
	}
}
