// The oracle answers what a Flux controller's flag parser makes of an argument list, what Kubernetes makes of a label
// selector, and what Go finds in an archive.
//
// It reads one JSON document per line from standard input. A line with "flags" declares a controller: its flags,
// the gates it supports and those it merely tolerates. A line with "args" is an argument list of the controller
// declared last; each is answered by one line: the status the process would exit with, or the resulting values. A line
// with "labels" is a question about a selector, one with "archive" about an archive, and each is answered by one line,
// too.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
)

type declaration struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Default string `json:"default"`
}

type request struct {
	Flags   []declaration   `json:"flags"`
	Gates   map[string]bool `json:"gates"`
	Retired []string        `json:"retired"`
	// Accounts are the flags that need the gate ObjectLevelWorkloadIdentity where the controller has it.
	Accounts []string `json:"accounts"`
	Args     []string `json:"args"`
	question
	archiveQuestion
}

type answer struct {
	Exit   *int                       `json:"exit,omitempty"`
	Values map[string]json.RawMessage `json:"values,omitempty"`
	Gates  map[string]bool            `json:"gates,omitempty"`
}

func main() {
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()

	var controller request
	decoder := json.NewDecoder(input)
	encoder := json.NewEncoder(output)
	for {
		var next request
		err := decoder.Decode(&next)
		if errors.Is(err, io.EOF) {
			return
		}
		fail(err)
		if next.Flags != nil {
			controller = next
			continue
		}
		if next.Labels != nil {
			fail(encoder.Encode(selectFrom(next.question)))
			continue
		}
		if next.Archive != nil {
			fail(encoder.Encode(unpack(next.archiveQuestion)))
			continue
		}
		fail(encoder.Encode(run(controller, next.Args)))
	}
}

// run parses one argument list with a fresh flag set, as a starting controller does.
func run(controller request, args []string) answer {
	set := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	readers := map[string]func() any{}
	var given map[string]bool
	for _, flag := range controller.Flags {
		readers[flag.Name] = bind(set, flag, &given)
	}

	err := set.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return exit(0)
	}
	if err != nil {
		return exit(2)
	}

	gates, ok := supportedFeatures(controller, given)
	if !ok {
		return exit(1)
	}
	if inconsistentObjectLevelConfiguration(controller, gates, readers) {
		return exit(1)
	}
	values := map[string]json.RawMessage{}
	for name, read := range readers {
		encoded, err := json.Marshal(read())
		fail(err)
		values[name] = encoded
	}
	return answer{Values: values, Gates: gates}
}

// supportedFeatures does what the method of that name of fluxcd/pkg/runtime/features does.
func supportedFeatures(controller request, given map[string]bool) (map[string]bool, bool) {
	gates := map[string]bool{}
	for name, value := range controller.Gates {
		gates[name] = value
	}
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if contains(controller.Retired, name) {
			continue
		}
		if _, ok := gates[name]; !ok {
			return nil, false
		}
		gates[name] = given[name]
	}
	return gates, true
}

// inconsistentObjectLevelConfiguration does what the function of that name of fluxcd/pkg/auth does.
func inconsistentObjectLevelConfiguration(controller request, gates map[string]bool, readers map[string]func() any) bool {
	enabled, supported := gates["ObjectLevelWorkloadIdentity"]
	if enabled || !supported {
		return false
	}
	for _, name := range controller.Accounts {
		if read, ok := readers[name]; ok && read() != "" {
			return true
		}
	}
	return false
}

// bind declares one flag with the pflag function that controllers use for its type.
func bind(set *pflag.FlagSet, flag declaration, gates *map[string]bool) func() any {
	name, value := flag.Name, flag.Default
	switch flag.Kind {
	case "bool":
		p := set.Bool(name, value == "true", "")
		return func() any { return *p }
	case "string":
		p := set.String(name, value, "")
		return func() any { return *p }
	case "int":
		p := set.Int(name, int(integer(value)), "")
		return func() any { return strconv.Itoa(*p) }
	case "uint8":
		p := set.Uint8(name, uint8(integer(value)), "")
		return func() any { return fmt.Sprint(*p) }
	case "uint16":
		p := set.Uint16(name, uint16(integer(value)), "")
		return func() any { return fmt.Sprint(*p) }
	case "float32":
		number, err := strconv.ParseFloat(value, 32)
		fail(err)
		p := set.Float32(name, float32(number), "")
		return func() any { return strconv.FormatFloat(float64(*p), 'e', -1, 32) }
	case "duration":
		duration, err := time.ParseDuration(value)
		fail(err)
		p := set.Duration(name, duration, "")
		return func() any { return strconv.FormatInt(int64(*p), 10) }
	case "strings":
		p := set.StringSlice(name, []string{}, "")
		return func() any { return *p }
	case "stringArray":
		p := set.StringArray(name, []string{}, "")
		return func() any { return *p }
	case "mapStringBool":
		set.Var(cliflag.NewMapStringBool(gates), name, "")
		return func() any { return nil }
	default:
		fail(fmt.Errorf("no such type of flag: %q", flag.Kind))
		return nil
	}
}

func integer(text string) int64 {
	number, err := strconv.ParseInt(text, 0, 64)
	fail(err)
	return number
}

func contains(names []string, name string) bool {
	for _, candidate := range names {
		if candidate == name {
			return true
		}
	}
	return false
}

func exit(code int) answer {
	return answer{Exit: &code}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(70)
	}
}
