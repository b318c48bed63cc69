// Nothing is built here: go.sum pins the module that has the CustomResourceDefinitions of the Grafana Operator.
module control-plane/grafana-operator

go 1.26.0
