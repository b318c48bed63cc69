package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
)

type archiveQuestion struct {
	// Archive is a compressed archive.
	Archive []byte `json:"archive"`
}

type file struct {
	Name    []byte `json:"name"`
	Content []byte `json:"content"`
}

type archiveAnswer struct {
	// Files are those that Flux would write, up to the first error.
	Files []file `json:"files"`
	// Whole tells whether there was none.
	Whole bool `json:"whole"`
}

// unpack takes an archive apart as github.com/fluxcd/pkg/tar does, in memory.
func unpack(question archiveQuestion) archiveAnswer {
	answer := archiveAnswer{Files: []file{}}
	decoder, err := gzip.NewReader(bytes.NewReader(question.Archive))
	if err != nil {
		return answer
	}
	reader := tar.NewReader(decoder)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			answer.Whole = true
			return answer
		}
		if err != nil {
			return answer
		}
		if header.Typeflag == tar.TypeXGlobalHeader || !header.FileInfo().Mode().IsRegular() {
			continue
		}
		content, err := io.ReadAll(io.LimitReader(reader, 1<<20))
		if err != nil {
			return answer
		}
		answer.Files = append(answer.Files, file{Name: []byte(header.Name), Content: content})
	}
}
