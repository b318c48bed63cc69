package main

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// question is about a label selector: as text, as controllers read --watch-label-selector, or as an object.
type question struct {
	Text   *string         `json:"text"`
	Object json.RawMessage `json:"object"`
	// Labels are those of the objects that may be selected.
	Labels []labels.Set `json:"labels"`
}

// selection says which of the objects are selected, or why the selector is refused.
type selection struct {
	Selected []bool `json:"selected,omitempty"`
	Refused  string `json:"refused,omitempty"`
}

func selectFrom(asked question) selection {
	selector, err := parsed(asked)
	if err != nil {
		return selection{Refused: err.Error()}
	}
	selected := make([]bool, len(asked.Labels))
	for i, set := range asked.Labels {
		selected[i] = selector.Matches(set)
	}
	return selection{Selected: selected}
}

func parsed(asked question) (labels.Selector, error) {
	if asked.Text != nil {
		return labels.Parse(*asked.Text)
	}
	var object metav1.LabelSelector
	if err := json.Unmarshal(asked.Object, &object); err != nil {
		return nil, err
	}
	return metav1.LabelSelectorAsSelector(&object)
}
